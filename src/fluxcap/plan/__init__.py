"""What is asked for: keys, semantics, durations."""
