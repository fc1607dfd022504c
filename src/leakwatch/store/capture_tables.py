"""Tables of the journal and the write log. Times are ISO 8601 text in UTC, so that they sort and read the same."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Index, Integer, LargeBinary, String, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite

from leakwatch.store.database import metadata

principals = Table(
    "principals",
    metadata,
    Column("address", String, primary_key=True),
    Column("provider", String, nullable=False),
    Column("provider_id", String, nullable=False),
    Column("salesforce_user_id", String),
    Column("name", String, nullable=False, default=""),
    Column("aliases", LargeBinary, nullable=False),  # JSON list
    Column("notice_date", String),
    Column("parked_reason", String),
    Column("parked_at", String),
    Column("left_at", String),  # since when this mailbox is not on the roster any more
    Column("updated_at", String, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("source", String, primary_key=True),
    Column("principal", String, primary_key=True),
    Column("stream", String, primary_key=True),
    Column("revision", Integer, nullable=False),  # compare-and-swap
    Column("body", LargeBinary, nullable=False),  # JSON, versioned inside
    Column("updated_at", String, nullable=False),
)

copies = Table(
    "mail_copies",
    metadata,
    Column("source", String, primary_key=True),
    Column("principal", String, primary_key=True),
    Column("provider_id", String, primary_key=True),
    Column("key", String, nullable=False, index=True),  # of the activity this copy belongs to
    Column("base_key", String, nullable=False, index=True),  # what its Message-ID alone would give
    Column("fingerprint", String, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),  # normalised Activity as JSON: headers' content, never a mail body
    Column("stored_at", String, nullable=False),
    Column("removed_at", String),  # gone from the mailbox; the record in Salesforce stays
)

activities = Table(
    "activities",
    metadata,
    Column("key", String, primary_key=True),
    Column("start", String, nullable=False),
    Column("digest", String, nullable=False),  # of the merged copies as they are now
    Column("settled_digest", String),  # of the merged copies when the outcome became final
    Column("outcome", String),
    Column("reason", String, nullable=False, default=""),
    Column("match", LargeBinary),  # JSON
    Column("refused_snapshot", String),  # whose records, some of them gone by then, Salesforce refused last
    Column("refusals", Integer, nullable=False, default=0, server_default="0"),  # of that kind
    Column("updated_at", String, nullable=False),
    Index("activities_by_start", "start", "key"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("source", String, primary_key=True),
    Column("principal", String, primary_key=True),
    Column("provider_id", String, primary_key=True),
    Column("outcome", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("key", String, index=True),
    Column("detail", String, nullable=False, default=""),
    Column("at", String, nullable=False),
    Column("fingerprint", String, index=True),  # these four: see MailTrace
    Column("sender_digest", String),
    Column("sent_at", String),
    Column("start", String),
)

mailbox_reads = Table(
    "mailbox_reads",
    metadata,
    Column("source", String, primary_key=True),
    Column("principal", String, primary_key=True),
    Column("read_at", String, nullable=False),  # everything before this moment is in the journal
)

writes = Table(
    "writes",
    metadata,
    Column("op_id", String, primary_key=True),
    Column("run_id", String, nullable=False, index=True),
    Column("sobject", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("key", String, index=True),
    Column("fields", LargeBinary, nullable=False),  # JSON
    Column("reason", String, nullable=False),
    Column("record_id", String, index=True),
    Column("account_id", String),
    Column("prior", LargeBinary, nullable=False),  # JSON: values before, for undo
    Column("after", String),
    Column("status", String, nullable=False, index=True),  # in_flight, or a WriteStatus
    Column("created", Boolean, nullable=False, default=False),
    Column("code", String, nullable=False, default=""),
    Column("message", String, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("begun_at", String, nullable=False),
    Column("finished_at", String),
)

_PLAIN_TYPES = (String, LargeBinary, Integer, Boolean)  # the driver stores these as SQLAlchemy would
CHUNK = 500  # values in one IN list or rows in one read


def upsert(connection: Connection, table: Table, rows: list[dict[str, Any]], *, keep: tuple[str, ...] = ()) -> None:
    """Insert `rows` (of the same columns), replacing what has the same primary key except the columns in `keep`."""
    if not rows:
        return
    statement, columns = _upsert(connection.dialect.name, table, tuple(rows[0]), keep)
    if isinstance(statement, str):
        # The driver takes these values as they are. On their way through SQLAlchemy a row costs 15 µs more.
        connection.exec_driver_sql(statement, [tuple([row[name] for name in columns]) for row in rows])
    else:
        connection.execute(statement, rows)


@lru_cache(maxsize=64)
def _upsert(dialect: str, table: Table, given: tuple[str, ...], keep: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """Return the statement, as SQLite's own text where its parameters are the columns given and nothing else; these."""
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key.columns]
    changed = {name: statement.excluded[name] for name in given if name not in keys and name not in keep}
    if changed:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    if dialect != "sqlite" or not all(isinstance(table.c[name].type, _PLAIN_TYPES) for name in given):
        return statement, given
    compiled = statement.values({name: bindparam(name) for name in given}).compile(dialect=sqlite.dialect())
    columns = tuple(compiled.positiontup or ())  # besides those given, each that has a default in Python
    return (str(compiled), columns) if set(columns) == set(given) else (statement, given)


def chunks(values: list[str]) -> list[list[str]]:
    """Return `values` in lists short enough for one statement."""
    return [values[start : start + CHUNK] for start in range(0, len(values), CHUNK)]


def text(moment: datetime) -> str:
    """Return `moment` (aware) as sortable text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def when(value: str) -> datetime:
    """Return the moment that `text` wrote."""
    return datetime.fromisoformat(value)
