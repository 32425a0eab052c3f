"""Tables that come back from Arrow."""
