"""The state file's layout: one way to make it, a copy before each change, and refusal of a newer one."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from leakwatch.errors import ConfigError
from leakwatch.store import schema
from leakwatch.store.database import open_engine


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path / "state.db", durable=False)
    yield engine
    engine.dispose()


def test_a_new_file_gets_exactly_the_declared_tables(engine):
    assert schema.upgrade(engine)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_an_upgraded_file_needs_nothing_more(engine):
    schema.upgrade(engine)
    assert not schema.upgrade(engine)


def test_the_newest_revision_is_the_one_the_code_names(engine):
    schema.upgrade(engine)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == schema.HEAD


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(engine, tmp_path):
    schema.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="9999"):
        schema.upgrade(engine)
    assert [path.name for path in tmp_path.glob("*before*")] == []


def test_an_older_file_is_copied_before_it_is_changed(engine, tmp_path, monkeypatch):
    schema.upgrade(engine)
    newest = schema.HEAD
    monkeypatch.setattr(schema, "HEAD", "9998")
    assert schema.upgrade(engine)
    [copy] = tmp_path.glob(f"*before-9998-from-{newest}.db")
    assert copy.stat().st_size > 0
    assert copy.stat().st_mode & 0o077 == 0


def test_the_state_file_is_its_owners_alone_in_a_folder_open_to_all(tmp_path):
    (tmp_path / "shared").mkdir(mode=0o755)
    engine = open_engine(tmp_path / "shared" / "state.db", durable=False)
    schema.upgrade(engine)
    assert {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "shared").iterdir()} == {
        "state.db": 0,
        "state.db-wal": 0,
        "state.db-shm": 0,
    }
    engine.dispose()
