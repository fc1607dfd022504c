"""`leakwatch demo --mail`: what is judged of the file before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from leakwatch.demo.mail import _personal
from leakwatch.errors import ConfigError

LINE = "From eve Thu Aug 22 12:36:23 2002\n"


def put(folder: Path, content: bytes) -> Path:
    path = folder / "box.mbox"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", bytes(range(256)) * 10, b"Subject: one mail\n\nnot in an mbox\n", f"{LINE}\n\n".encode()],
    ids=["empty", "blank", "junk", "one mail", "only an empty message"],
)
def test_a_file_without_a_mail_in_it_is_refused_as_no_mbox(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match="no mbox"):
        _personal(put(tmp_path, content))


def test_messages_keep_their_place_in_the_file_where_an_empty_one_stands_between(tmp_path: Path) -> None:
    content = f"{LINE}From: eve@acme.com\n\nhi\n\n{LINE}\n\n{LINE}From: n@acme.com\nList-Id: <n.acme.com>\n\nhi\n\n"
    assert _personal(put(tmp_path, content.encode())) == {0: True, 2: False}


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no file"):
        _personal(tmp_path / "nowhere.mbox")
