"""Rows and where they live: the packed row, the crash-safe journal, Parquet parts, the run folder. Files; no asyncio."""
