"""One class a table, the functions that read them, and how a table leaves."""
