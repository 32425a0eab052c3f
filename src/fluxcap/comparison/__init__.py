"""What two points saw of the same traffic: what arrived, how late, and what was changed between them."""
