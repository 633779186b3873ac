"""Code that the functions share, such as settings, errors, messages, logging and the database."""
