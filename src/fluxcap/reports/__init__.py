"""What fluxcap says about a capture: its contents, its checksums, hints, origins."""
