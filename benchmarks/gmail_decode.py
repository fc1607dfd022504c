"""Getting and decoding Gmail messages in batches: ours split by hand, against the client library's documented loop.

10,000 messages (their headers) in batches of 100, the same answer each time from a server that does nothing else, over
plain HTTP on loopback. leakwatch: builds the batch, sends it with httplib2, splits the answer, orjson. Peer:
`service.new_batch_http_request`, one `service.users().messages().get(...)` per message, a callback that keeps it.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import measure

MESSAGES = 10_000
BATCH = 100
TARGET_US = 80.0  # CPU per message
TARGET_RATIO = 1 / 15
HEADERS = ("From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted")


def message(number: int) -> dict[str, Any]:
    """Return a message as Gmail gives it with format=metadata."""
    values = (
        "Ayşe Yılmaz <ayse@acme.example>",
        "Rep One <rep1@nordwind.example>",
        "Bob <bob@acme.example>",
        f"Re: Teklif {number} – fiyat ve teslimat",
        "Mon, 2 Mar 2026 09:12:33 +0300",
        f"<m{number}.1@mail.acme.example>",
        f"<m{number - 1}.1@mail.nordwind.example>",
        f"<m{number - 2}@x.example> <m{number - 1}.1@y.example>",
        "no",
    )
    return {
        "id": f"18f{number:013x}",
        "threadId": f"18f{number // 4:013x}",
        "labelIds": ["INBOX", "IMPORTANT", "CATEGORY_PERSONAL"],
        "internalDate": str(1_772_433_153_000 + number * 60_000),
        "payload": {
            "mimeType": "multipart/alternative",
            "headers": [{"name": name, "value": value} for name, value in zip(HEADERS, values, strict=True)],
        },
    }


def leakwatch(options: dict[str, Any]) -> None:
    """Read all messages with the batches of `clients/google_batch.py`."""
    from urllib.parse import urlencode

    import httplib2
    import orjson

    from leakwatch.clients import google_batch

    query = urlencode(
        [("format", "metadata"), *(("metadataHeaders", name) for name in HEADERS), ("prettyPrint", "false")]
    )
    http = httplib2.Http(timeout=60)
    started, found = time.process_time(), 0
    for start in range(0, options["messages"], BATCH):
        ids = [f"18f{number:013x}" for number in range(start, start + BATCH)]
        body = google_batch.build([f"/gmail/v1/users/me/messages/{one}?{query}" for one in ids])
        head, content = http.request(
            f"{options['url']}/batch/gmail/v1", "POST", body=body, headers={"content-type": google_batch.REQUEST_TYPE}
        )
        for part in google_batch.split(head["content-type"], content):
            if part.status == 200:
                found += len(orjson.loads(part.body)["payload"]["headers"]) == len(HEADERS)
    measure.say(found=found, work_s=time.process_time() - started)


def peer(options: dict[str, Any]) -> None:
    """Read all messages as the library's documentation says."""
    import httplib2
    from googleapiclient.discovery import build

    endpoint = {"api_endpoint": options["url"]}
    service = build("gmail", "v1", http=httplib2.Http(timeout=60), static_discovery=True, client_options=endpoint)
    service._batch_path = "batch/gmail/v1"
    found = 0

    def take(_request_id: str, response: Any, error: Exception | None) -> None:
        nonlocal found
        assert error is None, error
        found += len(response["payload"]["headers"]) == len(HEADERS)

    started = time.process_time()
    for start in range(0, options["messages"], BATCH):
        batch = service.new_batch_http_request(callback=take)
        batch._batch_uri = f"{options['url']}/batch/gmail/v1"  # else it would go to Google
        for number in range(start, start + BATCH):
            batch.add(
                service.users()
                .messages()
                .get(userId="me", id=f"18f{number:013x}", format="metadata", metadataHeaders=list(HEADERS))
            )
        batch.execute()
    measure.say(found=found, work_s=time.process_time() - started)


class CannedGmail(BaseHTTPRequestHandler):
    """Answers a batch with as many messages as it asks for, under its own Content-IDs."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        names = [
            line.split(b":", 1)[1].strip() for line in body.splitlines() if line.lower().startswith(b"content-id:")
        ]
        parts = [
            b"--batch_x\r\nContent-Type: application/http\r\nContent-ID: <response-"
            + name[1:]
            + b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
            + CANNED[place]
            + b"\r\n"
            for place, name in enumerate(names)
        ]
        answer = b"".join(parts) + b"--batch_x--\r\n"
        self.send_response(200)
        self.send_header("Content-Type", "multipart/mixed; boundary=batch_x")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


CANNED = [json.dumps(message(number), ensure_ascii=False).encode() for number in range(BATCH)]


def run(*, pairs: int | None = None, scale: float = 1.0) -> measure.Outcome:
    """Measure; return the outcome."""
    messages = max(1, int(MESSAGES * scale) // BATCH) * BATCH
    server = ThreadingHTTPServer(("127.0.0.1", 0), CannedGmail)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = {"url": f"http://127.0.0.1:{server.server_port}", "messages": messages}

    def after(side: str, sample: measure.Sample) -> None:
        assert sample.said["found"] == messages, f"{side} decoded {sample.said['found']} of {messages}"

    try:
        samples = measure.interleave(Path(__file__), options, pairs=pairs or measure.PAIRS, after=after)
    finally:
        server.shutdown()
    ours, theirs = (measure.least(samples[side], "work_s") / messages * 1e6 for side in ("leakwatch", "peer"))
    rows = [
        ("CPU per message", f"{ours:.1f} µs", f"{theirs:.0f} µs"),
        ("  ratio", f"{ours / theirs:.3f} (1/{theirs / ours:.0f})", "1"),
        ("peak memory", f"{measure.peak(samples['leakwatch']):.0f} MB", f"{measure.peak(samples['peer']):.0f} MB"),
    ]
    targets = [
        measure.Target("CPU per message", ours, TARGET_US, " µs"),
        measure.Target("ratio to the library's loop", ours / theirs, TARGET_RATIO),
    ]
    title = f"gmail_decode: {messages:,} messages in batches of {BATCH}, fetched and decoded (start-up left out)"
    return measure.judged("gmail_decode", title, samples, rows, targets, figure="work_s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=("leakwatch", "peer"), required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    arguments = parser.parse_args()
    sys.exit({"leakwatch": leakwatch, "peer": peer}[arguments.side](arguments.options))
