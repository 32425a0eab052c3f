"""Which rows and columns of a table: by place, name, mask, or what a value is."""
