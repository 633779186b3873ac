"""The registrar Lambda: what was trained and what was deployed, written down and told."""
