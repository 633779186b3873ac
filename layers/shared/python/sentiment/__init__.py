"""What the functions share: settings, errors, messages, logging and the database."""
