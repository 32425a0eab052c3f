"""The page about a capture that an engineer sends to a colleague."""
