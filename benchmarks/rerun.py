"""The same work again at once: what a cycle costs in which nothing is new.

1,000 mails were captured and 25 people told of a deal past its close date; then capture, audit and act run once more
with a mirror that is fresh, as in the daemon. They must write nothing. Peer: the naive loop run again, which reads
every message and asks Salesforce for each whether it is there already.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import measure

MAILS = 1_000
TARGET_CALLS = 4  # of an idle capture, which runs every five minutes; audit and act run once a day
TARGET_CPU = 1 / 2  # of the peer's


def leakwatch(options: dict[str, Any]) -> None:
    """Capture, audit, act; the calls of each, and what was written."""
    import loaded  # noqa: F401

    from leakwatch import config, log
    from leakwatch.app.auditing import run_act, run_audit
    from leakwatch.app.building import Parts
    from leakwatch.app.capturing import run_capture
    from leakwatch.app.mirroring import run_mirror
    from leakwatch.clock import SettableClock, SystemClock

    log.configure(level="WARNING")
    started = time.process_time()
    settings = config.load(Path(options["settings"]))
    clock = SettableClock(datetime.fromisoformat(options["now"]))
    calls: dict[str, int] = {}
    written = 0
    for step in options["steps"]:
        with Parts(settings, clock=clock, wall=SystemClock()) as parts:
            if step == "mirror":
                run_mirror(parts)
            elif step == "capture":
                report = run_capture(parts, mirror_max_age=timedelta(minutes=20))
                written += sum(report.written.values()) + report.owners_given
            elif step == "audit":
                run_audit(parts)
            else:
                written += len(run_act(parts).ops)
            calls[step] = parts.client.calls
    measure.say(written=written, calls=calls, work_s=time.process_time() - started)


def peer(options: dict[str, Any]) -> None:
    """List every mailbox, get every message, ask whether it is there."""
    import google_auth_httplib2
    import httplib2
    import jwt
    import requests
    from google.oauth2 import service_account
    from googleapiclient.discovery import build
    from simple_salesforce import Salesforce, format_soql

    started = time.process_time()
    org, google = options["salesforce"], options["google"]
    session = requests.Session()
    session.trust_env = False  # or REQUESTS_CA_BUNDLE would win over the next line
    session.verify = options["ca_file"]
    claims = {"iss": org["client_id"], "sub": org["username"], "aud": org["audience"], "exp": int(time.time()) + 180}
    assertion = jwt.encode(claims, Path(org["private_key_file"]).read_text(), algorithm="RS256")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    token = session.post(f"{org['login_url']}/services/oauth2/token", data=form, timeout=60).json()
    sf = Salesforce(
        session_id=token["access_token"], instance_url=token["instance_url"], version="66.0", session=session
    )
    scopes = ["https://www.googleapis.com/auth/gmail.readonly"]
    robot = service_account.Credentials.from_service_account_file(google["service_account_file"], scopes=scopes)
    known = new = 0
    since = int((datetime.fromisoformat(options["now"]) - timedelta(days=1)).timestamp())
    for mailbox in options["mailboxes"]:
        http = google_auth_httplib2.AuthorizedHttp(
            robot.with_subject(mailbox), http=httplib2.Http(ca_certs=options["ca_file"])
        )
        endpoint = {"api_endpoint": google["api_url"]}
        gmail = build("gmail", "v1", http=http, static_discovery=True, client_options=endpoint)
        request = gmail.users().messages().list(userId="me", q=f"after:{since}", maxResults=500)
        while request is not None:
            page = request.execute()
            for entry in page.get("messages", []):
                message = gmail.users().messages().get(
                    userId="me", id=entry["id"], format="metadata", metadataHeaders=["Message-ID"]
                ).execute()  # fmt: skip
                identifier = message["payload"]["headers"][0]["value"]
                query = format_soql("SELECT Id FROM EmailMessage WHERE MessageIdentifier = {}", identifier)
                found = sf.query(query)["totalSize"]
                known, new = known + bool(found), new + (not found)
            request = gmail.users().messages().list_next(request, page)
    measure.say(written=new, known=known, work_s=time.process_time() - started)


def run(*, pairs: int | None = None, scale: float = 1.0) -> measure.Outcome:
    """Measure; return the outcome."""
    from mail_stage import gmail_units, mail_stage, requests_in_all, salesforce_calls
    from mail_world import NEXT_DAY, START

    mails = max(20, int(MAILS * scale))
    script, counted = Path(__file__), {}

    def after(side: str, sample: measure.Sample) -> None:
        assert sample.said["written"] == 0, f"{side} wrote {sample.said['written']} again"
        counted[side] = stage.ledger()

    with tempfile.TemporaryDirectory(prefix="leakwatch-bench-") as folder, mail_stage(Path(folder), mails) as stage:
        everything = {"steps": ["mirror", "capture", "audit", "act"]}
        measure.run_side(script, "leakwatch", stage.options(START) | everything)
        stage.sandbox.move_to(NEXT_DAY)
        first = measure.run_side(script, "leakwatch", stage.options(NEXT_DAY) | everything)
        assert first.said["written"] > 2 * mails, first.said  # mails, their Tasks' owners, and the alerts
        options = stage.options(NEXT_DAY) | {"steps": ["capture", "audit", "act"]}
        samples = measure.interleave(
            script, options, pairs=pairs or measure.PAIRS, before=lambda _side: stage.count_anew(), after=after
        )
    calls = samples["leakwatch"][-1].said["calls"]
    ours, theirs = (measure.least(samples[side], "work_s") for side in ("leakwatch", "peer"))
    whole = [f"{measure.least(samples[side]):.2f} s" for side in ("leakwatch", "peer")]
    total = salesforce_calls(counted["leakwatch"])
    rows = [
        ("CPU of one idle cycle", f"{ours:.2f} s", f"{theirs:.2f} s"),
        ("  ratio", f"{ours / theirs:.2f} (1/{theirs / ours:.1f})", "1"),
        ("  with the program's start", *whole),
        ("Salesforce calls", f"{total}", f"{salesforce_calls(counted['peer'])}"),
        ("  capture + audit + act", f"{calls['capture']} + {calls['audit']} + {calls['act']}", ""),
        ("HTTP requests", f"{requests_in_all(counted['leakwatch'])}", f"{requests_in_all(counted['peer'])}"),
        ("Gmail quota units", f"{gmail_units(counted['leakwatch'])}", f"{gmail_units(counted['peer'])}"),
        ("peak memory", f"{measure.peak(samples['leakwatch']):.0f} MB", f"{measure.peak(samples['peer']):.0f} MB"),
        ("records written", "0", "0"),
    ]
    targets = [
        measure.Target("Salesforce calls of an idle capture", calls["capture"], TARGET_CALLS),
        measure.Target("CPU, ratio to the peer", ours / theirs, TARGET_CPU),
    ]
    title = f"rerun: everything again at once, after {mails:,} mails and 25 alerts"
    outcome = measure.judged("rerun", title, samples, rows, targets, figure="work_s")
    outcome.samples["ledgers"] = counted
    return outcome


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=("leakwatch", "peer"), required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    arguments = parser.parse_args()
    {"leakwatch": leakwatch, "peer": peer}[arguments.side](arguments.options)
