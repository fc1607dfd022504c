"""Settings of the Bulk API 2.0."""

from __future__ import annotations

from dataclasses import dataclass

from leakwatch.sandbox.org.settings.switch import switch


@dataclass(kw_only=True)
class BulkSettings:
    """How jobs go from state to state, and how their results are cut."""

    bulk_wait_ms: int = switch(200)
    """Wall milliseconds that a job stays in UploadComplete, and at least in InProgress."""
    bulk_polls: int = switch(0)
    """Not 0: a job stays in either state for so many questions about it instead, whatever the time."""
    bulk_page_size: int = switch(50_000)
    """Rows of a query job's result that are sent where the client names no number ("based on the service")."""
