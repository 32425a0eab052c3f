"""What a capture can prove and what it cannot."""
