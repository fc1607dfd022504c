"""What serves rows without leakwatch: the standard library's threaded server over one SQLite file.

As somebody writes it in an afternoon: a query goes to SQLite as it is, a page is LIMIT and OFFSET, the answer has the
shape of Salesforce's. Bulk results are read from one cursor and streamed as CSV, uploads inserted in one transaction.
It knows no SOQL, no types, no sessions, no limits, no checks, no snapshot between pages.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PAGE = 2_000
STREAM = 1_000  # rows read at once


def copy_rows(org: Path, own: Path, tables: dict[str, tuple[str, ...]]) -> None:
    """Copy columns of the emulated org's tables into a file of the peer's, with an index on each `Id`."""
    own.unlink(missing_ok=True)
    db = sqlite3.connect(own, isolation_level=None)
    db.execute("PRAGMA synchronous=OFF")
    db.execute("ATTACH ? AS org", (str(org),))
    for name, columns in tables.items():
        living = f"SELECT {', '.join(columns)} FROM org.{name} WHERE IsDeleted = 0 ORDER BY Id"
        db.execute(f"CREATE TABLE {name} AS {living}")
        db.execute(f"CREATE UNIQUE INDEX {name}_id ON {name} (Id)")
    db.close()


class Peer(BaseHTTPRequestHandler):
    """Pages, a CSV of all rows, and uploads."""

    protocol_version = "HTTP/1.1"
    path_of_rows: Path
    own = threading.local()

    def _db(self) -> sqlite3.Connection:
        if not hasattr(self.own, "db"):
            self.own.db = sqlite3.connect(self.path_of_rows, timeout=60)
        return self.own.db

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(where.query).items()}
        if where.path == "/csv":
            self._stream(given["q"])
        else:
            self._page(given["q"], int(given.get("offset", 0)), given.get("total"))

    def _page(self, query: str, offset: int, total: str | None) -> None:
        _, _, what = query.partition(" FROM ")
        table, _, _ = what.partition(" ")
        if total is None:
            total = self._db().execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0]
        found = self._db().execute(f"{query} LIMIT {PAGE} OFFSET {offset}")
        names = [column[0] for column in found.description]
        records = [
            {"attributes": {"type": table, "url": f"/sobjects/{table}/{row[0]}"}, **dict(zip(names, row, strict=True))}
            for row in found
        ]
        end = offset + len(records)
        body = {"totalSize": int(total), "done": end >= int(total), "records": records}
        if not body["done"]:
            body["next"] = f"offset={end}&total={total}"
        self._answer(json.dumps(body).encode(), "application/json")

    def _stream(self, query: str) -> None:
        found = self._db().execute(query)
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow([column[0] for column in found.description])
        while rows := found.fetchmany(STREAM):
            writer.writerows(rows)
            self._chunk(out.getvalue().encode())
            out.seek(0)
            out.truncate()
        self._chunk(b"")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def do_PUT(self) -> None:
        table = self.path.rpartition("/")[2]
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        names, *rows = csv.reader(io.StringIO(text))
        db = self._db()
        (last,) = db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        marks = ", ".join("?" * (len(names) + 1))
        with db:
            db.executemany(
                f"INSERT INTO {table} (Id, {', '.join(names)}) VALUES ({marks})",
                ((f"new{last + number}", *row) for number, row in enumerate(rows)),
            )
        self._answer(json.dumps({"numberRecordsProcessed": len(rows)}).encode(), "application/json")

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    Peer.path_of_rows = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    print(server.server_port, flush=True)
    server.serve_forever()
