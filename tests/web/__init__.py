"""Makes the folder a package: fixtures of scope "package" live until the last test of the session otherwise.

Playwright's event loop runs as long as its fixture lives, and no other can run in the same thread.
"""
