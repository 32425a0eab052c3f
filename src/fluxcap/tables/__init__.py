"""One class a table, the functions that read tables, and the export of tables."""
