"""Alembic migrations of `state.db`, one file per layout change under `versions/`."""
