"""Commands that read no capture, a file each."""
