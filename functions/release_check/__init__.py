"""The release check Lambda: no version of the API gets traffic before it has proved itself."""
