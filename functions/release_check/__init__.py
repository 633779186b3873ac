"""The release check Lambda: checks each version of the API before it receives traffic."""
