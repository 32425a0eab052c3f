"""A lake: rows of many captures as Parquet files in folders of days and hours, with one manifest that says which."""
