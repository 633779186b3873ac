"""The laptop's stand-ins for AWS, and the loop that connects them."""
