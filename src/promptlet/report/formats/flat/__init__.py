"""One flat table of a report, for CSV and Parquet."""
