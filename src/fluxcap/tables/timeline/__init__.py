"""Timelines: what was sent in each interval of time."""
