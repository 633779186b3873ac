"""The whole system on one machine, with local stand-ins for AWS."""
