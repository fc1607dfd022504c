"""Bring `state.db` to the layout this version of leakwatch works with. A copy is kept before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, inspect, text

from leakwatch.errors import ConfigError

# Each of these declares its tables on `metadata`.
from leakwatch.store import capture_tables, finding_tables, runs
from leakwatch.store.database import metadata

__all__ = ["HEAD", "metadata", "upgrade"]

HEAD = "0003"  # newest revision under migrations/versions; a test holds it to that
_DECLARED = (capture_tables, finding_tables, runs)


def upgrade(engine: Engine) -> bool:
    """Bring the database to `HEAD`; return whether anything had to be done.

    Raises:
        ConfigError: the file was written by a newer leakwatch.
    """
    stored = _revision(engine)
    if stored == HEAD:
        return False
    if stored is not None:
        if stored not in _known_revisions():
            raise ConfigError(
                f"the state file {engine.url.database} has layout {stored}, which this version of leakwatch does not "
                f"know (it knows up to {HEAD}). Nothing was changed. Install the newer version, or restore a backup."
            )
        _copy(engine, stored)
    _run(engine)
    return True


def _revision(engine: Engine) -> str | None:
    with engine.begin() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return str(row[0]) if row else None


def _config() -> Any:
    from alembic.config import Config  # heavy, and needed only when the layout changes

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _copy(engine: Engine, stored: str) -> None:
    """Keep the file as it is beside itself: SQLite's changes to a table can't all be rolled back."""
    database = Path(str(engine.url.database))
    copy = database.with_name(f"{database.stem}-before-{HEAD}-from-{stored}.db")
    copy.unlink(missing_ok=True)
    copy.touch(mode=0o600)  # SQLite fills an empty file
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ROLLBACK")  # our engine opens every connection with BEGIN IMMEDIATE
        connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))


def _run(engine: Engine) -> None:
    from alembic import command

    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
