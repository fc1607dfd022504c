"""What other tools wrote to the org, as capture and doctor ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leakwatch.app.building import Parts

if TYPE_CHECKING:
    from leakwatch.salesforce.neighbours import OrgNeighbours


def neighbours_of(parts: Parts) -> OrgNeighbours:
    """Return what finds other tools' mails and Events, by the newest snapshot and by the org itself."""
    from leakwatch.salesforce.neighbours import OrgNeighbours
    from leakwatch.store.foreign_mail import EMAILS, foreign_mails

    snapshot = parts.newest_snapshot()
    if snapshot is None:
        return OrgNeighbours(parts.reader, lambda _ids: {}, None)
    path = Path(snapshot.path)
    return OrgNeighbours(parts.reader, lambda ids: foreign_mails(path, ids), snapshot.freshness.get(EMAILS))
