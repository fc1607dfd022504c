"""Serving many rows: the sandbox's org against a plain HTTP service over SQLite (`serve_peer.py`).

The world `million` at 1/50: 20,000 deals, 100,000 activities (--scale 50 makes it the whole million). Read: all Tasks
by REST in pages of 2,000 (100 pages at most), the closed ones the same way, all of them by Bulk 2.0 as CSV; written:
2,000 Tasks by Bulk 2.0. Both servers speak plain HTTP; figures are CPU seconds of the server alone, the client's are
left out. The peer checks nothing and knows nothing of Salesforce: what reading and sending the rows costs at least.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import measure
import serve_peer

SHARE = 0.02
MOST_PAGES = 100
WRITTEN = 2_000
FIELDS = ("Id", "Subject", "Status", "Priority", "ActivityDate", "WhoId", "WhatId", "OwnerId", "SystemModstamp")
GIVEN = ("Subject", "Status", "Priority", "ActivityDate", "WhatId", "OwnerId")
TABLES = {"Task": (*FIELDS, "IsClosed")}
ALL = f"SELECT {', '.join(FIELDS)} FROM Task"
CLOSED = {"leakwatch": f"{ALL} WHERE IsClosed = true", "peer": f"{ALL} WHERE IsClosed = 1"}
API = "/services/data/v66.0"
AIM_PAGE_MS, AIM_PEAK_MB = 100.0, 1_500.0  # issue "Scale": tens of milliseconds, below 1.5 GB
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server process with one connection to it."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        self.headers: dict[str, str] = {}

    def connect(self, port: int) -> None:
        """Speak to this port from now on."""
        self.line = http.client.HTTPConnection("localhost", port, timeout=600)

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[bytes, Any]:
        """Body and headers of an answer that must be good."""
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        self.line.request(method, path, content, {**self.headers, "Content-Type": kind})
        answer = self.line.getresponse()
        found = answer.read()
        assert answer.status < 300, found[:500]
        return found, answer.headers

    def cpu(self) -> float:
        """CPU seconds it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_mb(self) -> float:
        """Its peak memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


# -- reading and writing, by side ------------------------------------------------------------------------


def open_leakwatch(folder: str) -> Server:
    """The sandbox on a folder that has its world."""
    command = [sys.executable, "-m", "leakwatch.sandbox", "serve", "--dir", folder, "--no-google", "--insecure-http"]
    server = Server(command)
    card = json.loads((Path(folder) / "sandbox.json").read_text())
    server.connect(int(card["control"]["url"].rpartition(":")[2]))
    server.headers = {"Authorization": f"Bearer {card['control']['token']}"}
    server.call("POST", "/org/settings", {"bulk_wait_ms": 1})
    server.connect(int(card["salesforce"]["instance_url"].rpartition(":")[2]))
    server.headers = {"Authorization": f"Bearer {card['salesforce']['access_token']}"}
    return server


def leakwatch_pages(server: Server, query: str) -> Iterator[tuple[int, float]]:
    """Rows and seconds of each page."""
    path: str | None = f"{API}/query?q={quote(query)}"
    while path:
        started = time.perf_counter()
        body, _ = server.call("GET", path)
        seconds = time.perf_counter() - started
        page = json.loads(body)
        yield len(page["records"]), seconds
        path = page.get("nextRecordsUrl")


def leakwatch_csv(server: Server) -> int:
    """Rows of a Bulk query, from making the job to the last byte."""
    job = json.loads(server.call("POST", f"{API}/jobs/query", {"operation": "query", "query": ALL})[0])
    path = f"{API}/jobs/query/{job['id']}"
    _wait(server, path)
    rows, locator = 0, ""
    while locator != "null":
        _, headers = server.call("GET", f"{path}/results" + (f"?locator={locator}" if locator else ""))
        rows, locator = rows + int(headers["Sforce-NumberOfRecords"]), headers["Sforce-Locator"]
    return rows


def leakwatch_write(server: Server, text: bytes) -> int:
    """Rows that a Bulk ingest job took."""
    asked = {"object": "Task", "operation": "insert", "contentType": "CSV", "lineEnding": "LF"}
    path = f"{API}/jobs/ingest/" + json.loads(server.call("POST", f"{API}/jobs/ingest", asked)[0])["id"]
    server.call("PUT", f"{path}/batches", text, "text/csv")
    server.call("PATCH", path, {"state": "UploadComplete"})
    job = _wait(server, path)
    assert not job["numberRecordsFailed"], job
    return int(job["numberRecordsProcessed"])


def _wait(server: Server, path: str) -> dict[str, Any]:
    while True:
        job = json.loads(server.call("GET", path)[0])
        if job["state"] in ("JobComplete", "Failed", "Aborted"):
            assert job["state"] == "JobComplete", job
            return job
        time.sleep(0.02)


def open_peer(path: str) -> Server:
    """The plain service."""
    server = Server([sys.executable, str(Path(serve_peer.__file__)), path])
    server.connect(int(server.first_line))
    return server


def peer_pages(server: Server, query: str) -> Iterator[tuple[int, float]]:
    """Rows and seconds of each page."""
    more: str | None = ""
    while more is not None:
        started = time.perf_counter()
        body, _ = server.call("GET", f"/query?q={quote(query)}&{more}")
        seconds = time.perf_counter() - started
        page = json.loads(body)
        yield len(page["records"]), seconds
        more = page.get("next")


def peer_csv(server: Server) -> int:
    """Rows of the whole CSV."""
    return server.call("GET", f"/csv?q={quote(ALL)}")[0].count(b"\n") - 1


def peer_write(server: Server, text: bytes) -> int:
    """Rows of an upload."""
    return int(json.loads(server.call("PUT", "/rows/Task", text, "text/csv")[0])["numberRecordsProcessed"])


# -- measuring -------------------------------------------------------------------------------------------


def side(name: str, options: dict[str, Any]) -> None:
    """Start one side's server, read and write, and say what it cost the server."""
    ours = name == "leakwatch"
    server = open_leakwatch(options["folder"]) if ours else open_peer(options["rows"])
    pages, whole, write = (
        (leakwatch_pages, leakwatch_csv, leakwatch_write) if ours else (peer_pages, peer_csv, peer_write)
    )
    said: dict[str, Any] = {}
    try:
        for what, query in (("all", ALL), ("closed", CLOSED[name])):
            said |= _paged(server, what, pages(server, query))
        said |= _timed(server, "csv", lambda: whole(server))
        text = Path(options["upload"]).read_bytes()
        said |= _timed(server, "write", lambda: write(server, text))
        said["peak_mb"] = server.peak_mb()
    finally:
        server.stop()
    measure.say(**said)


def _paged(server: Server, what: str, pages: Iterator[tuple[int, float]]) -> dict[str, Any]:
    before, found = server.cpu(), []
    for page in pages:
        found.append(page)
        if len(found) == MOST_PAGES:
            break
    rows, wall = sum(count for count, _ in found), sum(seconds for _, seconds in found)
    return {
        f"{what}_rows": rows,
        f"{what}_us": (server.cpu() - before) / rows * 1e6,
        f"{what}_per_s": rows / wall,
        f"{what}_first_ms": found[0][1] * 1e3,
        f"{what}_next_ms": median(seconds for _, seconds in found[1:] or found) * 1e3,
        f"{what}_last_ms": found[-1][1] * 1e3,
    }


def _timed(server: Server, what: str, work: Callable[[], int]) -> dict[str, Any]:
    before, started = server.cpu(), time.perf_counter()
    rows = work()
    wall = time.perf_counter() - started
    return {
        f"{what}_rows": rows,
        f"{what}_us": (server.cpu() - before) / rows * 1e6,
        f"{what}_per_s": rows / wall,
        f"{what}_s": wall,
    }


def prepare(folder: Path, share: float) -> dict[str, Any]:
    """Build the world, the peer's file of the same rows, and what is uploaded; return the sides' options."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "leakwatch.sandbox", "serve", "--dir", str(folder / "world"), "--no-google"]
    began = time.perf_counter()
    built = Server([*command, "--insecure-http", "--world", "million", "--scale", str(share)])
    seconds, peak = time.perf_counter() - began, built.peak_mb()
    built.stop()
    org = folder / "world" / "org" / "org.sqlite"
    disk = sum(one.stat().st_size for one in (folder / "world").rglob("*") if one.is_file())
    serve_peer.copy_rows(org, folder / "peer.sqlite", TABLES)
    refs = json.loads((folder / "world" / "refs.json").read_text())["refs"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(GIVEN)
    with sqlite3.connect(org) as db:
        deals = [row[0] for row in db.execute("SELECT Id FROM Opportunity WHERE IsDeleted = 0 ORDER BY Id LIMIT 2000")]
    for number in range(WRITTEN):
        deal = deals[number * 7 % len(deals)]
        writer.writerow((f"Arama {number}", "Completed", "Normal", "2026-02-20", deal, refs["@user:rep1"]))
    (folder / "upload.csv").write_text(out.getvalue(), encoding="utf-8")
    paths = {"folder": folder / "world", "rows": folder / "peer.sqlite", "upload": folder / "upload.csv"}
    return {**paths, "build_s": seconds, "build_peak_mb": peak, "disk_gb": disk / 1e9}


def run(*, pairs: int | None = None, scale: float = 1.0) -> measure.Outcome:
    """Measure; return the outcome."""
    share = min(1.0, SHARE * scale)
    folder = measure.RESULTS / "sandbox_serve"
    folder.mkdir(parents=True, exist_ok=True)
    options = prepare(folder, share)
    try:
        samples = measure.interleave(Path(__file__), options, pairs=pairs or 3)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    counted = {name: {found[0].said[f"{what}_rows"] for what in ("all", "csv")} for name, found in samples.items()}
    assert counted["leakwatch"] == counted["peer"], counted
    return _outcome(samples, options, share)


def _outcome(samples: dict[str, list[measure.Sample]], options: dict[str, Any], share: float) -> measure.Outcome:
    def least(figure: str) -> tuple[float, float]:
        return measure.least(samples["leakwatch"], figure), measure.least(samples["peer"], figure)

    def most(figure: str) -> tuple[float, float]:
        ours, theirs = (max(float(one.said[figure]) for one in samples[name]) for name in ("leakwatch", "peer"))
        return ours, theirs

    rows: list[tuple[str, str, str]] = []

    def line(what: str, values: tuple[float, float], form: str) -> None:
        rows.append((what, form.format(values[0]), form.format(values[1])))

    named = {"all": "REST, all rows", "closed": "REST, filtered", "csv": "Bulk query (CSV)", "write": "Bulk ingest"}
    for what, title in named.items():
        line(f"{title}: server CPU per row", least(f"{what}_us"), "{:.1f} µs")
        line("  rows a second, fastest (wall)", most(f"{what}_per_s"), "{:,.0f}")
        if what in ("all", "closed"):
            line("  first page of 2,000", least(f"{what}_first_ms"), "{:.0f} ms")
            line("  next pages, median", least(f"{what}_next_ms"), "{:.0f} ms")
            line("  last page read", least(f"{what}_last_ms"), "{:.0f} ms")
    line("peak memory of the server", most("peak_mb"), "{:.0f} MB")
    rows.append(("building the world (wall, disk)", f"{options['build_s']:.0f} s, {options['disk_gb']:.2f} GB", "-"))
    rows.append(("  peak memory", f"{options['build_peak_mb']:.0f} MB", "-"))
    ours, theirs = least("all_us")
    targets = [
        measure.Target("peak memory", max(most("peak_mb")[0], options["build_peak_mb"]), AIM_PEAK_MB, " MB"),
        measure.Target("next pages of 2,000", least("all_next_ms")[0], AIM_PAGE_MS, " ms", binding=False),
        measure.Target("first page of 2,000", least("all_first_ms")[0], AIM_PAGE_MS, " ms", binding=False),
        measure.Target("first page, filtered", least("closed_first_ms")[0], AIM_PAGE_MS, " ms", binding=False),
        measure.Target("ratio of CPU to the peer's, REST", ours / theirs, 2.0, binding=False),
    ]
    title = f"sandbox_serve: {round(1e6 * share):,} deals and {round(5e6 * share):,} activities over plain HTTP"
    return measure.judged("sandbox_serve", title, samples, rows, targets, figure="all_us")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=("leakwatch", "peer"), required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    arguments = parser.parse_args()
    side(arguments.side, arguments.options)
