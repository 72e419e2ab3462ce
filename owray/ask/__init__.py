"""Asking the rows: a DuckDB session over runs, questions with a name, the summary, and the facts for the judge. Reads runs only."""
