"""How often a message is delivered, in AWS, on the laptop and in the tests alike.

Imports nothing, so that the local system can read it without the CDK.
"""

# Receives after which a message that was never stored goes to the dead-letter queue.
MAX_RECEIVES = 5
