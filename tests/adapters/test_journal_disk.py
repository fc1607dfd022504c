"""The disk is full at the n-th page of the file, for n = 0, 1, 2 ... until all fits: nothing acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from capture_samples import ANN, NINE, activity
from leakwatch.errors import SafetyError
from leakwatch.model import Cursor, CursorPhase
from leakwatch.store.database import metadata, open_engine
from leakwatch.store.journal import SqlJournal

START = Cursor(source="gmail", principal=ANN.address, stream="mailbox", phase=CursorPhase.SNAPSHOT, token="7")
MAILS = 60  # of one page: several new pages of the file
ENOUGH = 200  # pages


def test_whichever_page_of_the_file_has_no_room_cursor_and_mails_are_both_there_or_neither(
    tmp_path: Path,
) -> None:
    engine = open_engine(tmp_path / "state.db", durable=False)
    metadata.create_all(engine)
    journal = SqlJournal(engine)
    mails = [activity(provider_id=f"m{n}", message_id=f"<{n}@acme.com>", subject="x" * 200) for n in range(MAILS)]
    room = {"pages": 0}

    @event.listens_for(engine, "begin")
    def _limit(connection: object) -> None:
        driver = connection.exec_driver_sql  # type: ignore[attr-defined]
        most = room["pages"] or driver("PRAGMA page_count").scalar() + ENOUGH
        driver(f"PRAGMA max_page_count = {most}")

    with engine.connect() as connection:
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
    refused: list[str] = []
    for more in range(ENOUGH):
        room["pages"] = pages + more
        try:
            stored = journal.commit_page(START, activities=mails, decisions=[], removed=[], now=NINE)
            break
        except SafetyError as error:
            refused.append(str(error))
        room["pages"] = 0
        assert journal.cursor("gmail", ANN.address, "mailbox") is None
        assert journal.known_ids("gmail", ANN.address, ["m0"]) == frozenset()
    else:
        pytest.fail("it never fitted")
    room["pages"] = 0
    assert len(refused) > 3
    assert all("Free some space" in words for words in refused)
    assert journal.cursor("gmail", ANN.address, "mailbox") == stored
    assert len(journal.known_ids("gmail", ANN.address, [f"m{n}" for n in range(MAILS)])) == MAILS
    engine.dispose()
