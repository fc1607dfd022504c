"""Settings of calls: sessions, pages, and what replication covers."""

from __future__ import annotations

from dataclasses import dataclass

from leakwatch.sandbox.org.settings.switch import collection, switch


@dataclass(kw_only=True)
class CallSettings:
    """How the service answers."""

    session_seconds: int = switch(7200)
    """Wall seconds an access token lives (the session policy's default is two hours)."""
    jwt_seconds_ahead: int = switch(300, 180)
    """Probe: how far ahead (seconds) the `exp` of an assertion may lie: 180 or 300."""
    my_domain_audience: bool = switch(True)
    """Probe: whether My Domain, besides the login hosts, is taken as `aud` of an assertion."""
    page_size: int = switch(2000)
    """Rows per query page; the real service may return fewer than 2,000 at will."""
    composite_collections_allowed: bool = switch(True)
    """Probe: whether Collections may be subrequests of Composite."""
    composite_encoded_references: bool = switch(False)
    """Probe: whether a reference in a subrequest's URL is resolved where its braces are percent-encoded, as
    aiosalesforce sends them; the guide shows them plain only."""
    open_transaction_minutes: int = switch(0)
    """How long the oldest open transaction runs: getDeleted and getUpdated cover nothing after its beginning."""
    deleted_window_days: int = switch(15)
    """Probe: how old the start of a getDeleted window may be. 15 days of deletions are documented; clients report
    that the call itself is refused from 30 days on only."""
    deleted_needs_covered_end: bool = switch(False)
    """Probe: whether getDeleted refuses a window whose end lies after `latestDateCovered`, as the SOAP guide says
    and as nobody reports."""
    deleted_in_composite: bool = switch(True)
    """Probe: whether getDeleted may be a subrequest of Composite."""
    deleted_not_offered: list[str] = collection(list[str])  # noqa: RUF009  it makes a field
    """Probe: objects that getDeleted refuses although they have a delete log."""
    purged_log_refused: bool = switch(True)
    """Probe: whether getDeleted refuses a window that begins in what was purged; else it answers with what is left
    and a later `earliestDateAvailable`."""
    delete_log_limit: int = switch(0)
    """Entries that the delete log may hold before its oldest are purged; 0: 15,000 per licence."""
