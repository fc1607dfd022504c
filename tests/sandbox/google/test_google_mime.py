"""Odd real mail must never break the reader."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.google import mime
from leakwatch.sandbox.google.store import MailStore

ODD = {
    "empty": b"",
    "no headers": b"\r\njust text",
    "raw latin-1 in a header": b"Subject: caf\xe9\r\nFrom: Jos\xe9 <j@x>\r\n\r\nh\xe9llo",
    "unknown charset": b"Subject: =?x-none?q?a=F0?=\r\nContent-Type: text/plain; charset=x-none\r\n\r\n\xf0",
    "broken encoded word": b"Subject: =?utf-8?b?!!!?= =?iso-2022-jp?B?GyRC?=\r\n\r\nx",
    "boundary that never comes": b'Content-Type: multipart/mixed; boundary="b"\r\n\r\nno parts at all',
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\ny",
    "bad base64": b"Content-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n\r\n%%%%=\r\n",
    "odd addresses": b'From: "a\\"b" <x@y>, undisclosed: ;, @@,<\r\nTo: <<>>\r\n\r\n.',
    "uu filename": b"Content-Type: text/plain; name*=x''%ff%fe\r\n\r\nz",
    "nested message": b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody",
    "null bytes": b"Subject: a\x00b\r\n\r\n\x00\x01",
}


@pytest.mark.parametrize("name", list(ODD))
def test_it_is_stored_and_read_in_every_format(name: str, tmp_path: Path) -> None:
    store = MailStore(tmp_path / "m.sqlite", VirtualClock(None, datetime(2026, 1, 1, tzinfo=UTC)))
    store.open_mailbox("a@b")
    key = store.insert("a@b", ODD[name], ["INBOX"], datetime(2002, 8, 22, tzinfo=UTC))
    stored = store.get("a@b", key)
    assert stored is not None
    assert store.raw("a@b", key) == ODD[name]
    tree = mime.payload_tree(ODD[name], message=key)
    assert tree["partId"] == ""
    assert len(key) == 16
    store.close()


def test_headers_are_decoded_and_unfolded() -> None:
    raw = b"Subject: =?utf-8?q?Fiyat_anla=C5=9Fmas=C4=B1?=\r\n =?utf-8?q?_2026?=\r\nX: a\r\n  b\r\n\r\n"
    assert mime.read_envelope(raw).headers == [("Subject", "Fiyat anlaşması 2026"), ("X", "a  b")]


def test_the_snippet_is_escaped_and_without_markup() -> None:
    raw = b"Content-Type: text/html\r\n\r\n<style>p{}</style><p>5 &lt; 6</p>\n<b>it's</b>"
    assert mime.summary(raw)[0] == "5 &lt; 6 it&#39;s"


def test_parts_keep_their_order_and_big_ones_are_attachments() -> None:
    raw = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n'
        b'--b\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--\r\n"
    )
    tree = mime.payload_tree(raw, message="m")
    assert [part["partId"] for part in tree["parts"]] == ["0", "1"]
    assert tree["parts"][0]["body"] == {"size": 2, "data": "aGk="}
    assert tree["parts"][1]["filename"] == "a.pdf"
    assert tree["parts"][1]["body"]["size"] == 3
    assert "attachmentId" in tree["parts"][1]["body"]


@pytest.mark.parametrize("reply", ["Re: Offer", "RE: FW: offer", "Ynt: offer", "re[2]: Offer ", "İlt: offer"])
def test_replies_share_the_subject_of_what_they_answer(reply: str) -> None:
    assert mime.subject_key(reply) == mime.subject_key("Offer")


def test_a_reply_joins_the_thread_only_under_the_same_subject(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "m.sqlite", VirtualClock(None, datetime(2026, 1, 1, tzinfo=UTC)))
    store.open_mailbox("a@b")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    first = store.insert("a@b", b"Message-ID: <1@x>\r\nSubject: Offer\r\n\r\n", ["INBOX"], at)
    second = store.insert("a@b", b"Message-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\nSubject: Re: Offer\r\n\r\n", ["SENT"], at)
    third = store.insert("a@b", b"Message-ID: <3@x>\r\nReferences: <1@x>\r\nSubject: Lunch\r\n\r\n", ["INBOX"], at)
    threads = [store.get("a@b", key) for key in (first, second, third)]
    assert [one.thread for one in threads if one] == [first, first, third]
    store.close()
