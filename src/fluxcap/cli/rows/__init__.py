"""What becomes of rows besides a table: written as they are read, or their packets copied to a capture."""
