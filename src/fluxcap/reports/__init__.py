"""What is to be said about a capture: its contents, its checksums, hints, origins."""
