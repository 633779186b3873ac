"""The registrar Lambda: records training runs and deployments, and announces new models."""
