"""Bulk API 2.0: jobs that read or write many rows as CSV, beside the calls of the REST API.

`jobs` keeps them, `machine` moves them from state to state, `query` and `ingest` do their work, `csv_io` and
`results` read and write the files. The HTTP side is `rest/bulk_query.py` and `rest/bulk_ingest.py`.
"""
