"""1,000 mails from ten mailboxes into Salesforce, end to end over HTTPS, against the loop a consultant would write.

leakwatch: `run_capture`, once from an empty state (mirror, mailboxes, journal, matching, writing, owners), and once as
the daemon does it every day: the mirror job has just run, 1,000 mails came since the last capture. Peer: Google's
client one message at a time, simple-salesforce one query per new address, one EmailMessage, one look at its Task and
one change of owner per mail. Only the client is measured, imports apart; the sandbox is another process.
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
TARGET_CALLS = 4.0  # writing and reading back, per 1,000 mails written, ownership given
TARGET_CPU = 1 / 5  # of the peer's CPU per mail


def leakwatch(options: dict[str, Any]) -> None:
    """Capture once (or refresh the mirror only)."""
    import loaded  # noqa: F401

    from leakwatch import config, log
    from leakwatch.app.building import Parts
    from leakwatch.app.capturing import run_capture
    from leakwatch.app.mirroring import run_mirror
    from leakwatch.clock import SettableClock, SystemClock

    log.configure(level="WARNING")
    started = time.process_time()
    settings = config.load(Path(options["settings"]))
    clock = SettableClock(datetime.fromisoformat(options["now"]))
    with Parts(settings, clock=clock, wall=SystemClock()) as parts:
        if options.get("step") == "mirror":
            run_mirror(parts)
            measure.say(written=0, work_s=time.process_time() - started)
            return
        report = run_capture(parts, mirror_max_age=timedelta(minutes=options.get("mirror_max_age_minutes", 0)))
    written = sum(report.written.values())
    assert report.owners_given == written, report.counts()
    measure.say(written=written, work_s=time.process_time() - started)


def peer(options: dict[str, Any]) -> None:
    """Read, look up, create, look, update: one by one."""
    from email.utils import getaddresses, parseaddr

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
    users = {row["Email"]: row["Id"] for row in sf.query_all("SELECT Id, Email FROM User")["records"]}
    people: dict[str, tuple[str, str | None] | None] = {}  # a careful loop asks for an address once
    seen: set[str] = set()
    written = 0
    since = int(datetime.fromisoformat(options["since"]).timestamp())

    def find(address: str) -> tuple[str, str | None] | None:
        if address not in people:
            query = format_soql("SELECT Id, AccountId FROM Contact WHERE Email = {}", address)
            rows = sf.query(query)["records"]
            people[address] = None
            if rows:
                query = format_soql(
                    "SELECT Id FROM Opportunity WHERE AccountId = {} AND IsClosed = false", rows[0]["AccountId"]
                )
                deals = sf.query(query)["records"]
                related = deals[0]["Id"] if len(deals) == 1 else rows[0]["AccountId"]
                people[address] = (rows[0]["Id"], related)
        return people[address]

    for mailbox in options["mailboxes"]:
        http = google_auth_httplib2.AuthorizedHttp(
            robot.with_subject(mailbox), http=httplib2.Http(ca_certs=options["ca_file"])
        )
        gmail = build(
            "gmail", "v1", http=http, static_discovery=True, client_options={"api_endpoint": google["api_url"]}
        )
        request = gmail.users().messages().list(userId="me", q=f"after:{since}", maxResults=500)
        while request is not None:
            page = request.execute()
            for entry in page.get("messages", []):
                message = gmail.users().messages().get(
                    userId="me", id=entry["id"], format="metadata",
                    metadataHeaders=["From", "To", "Cc", "Subject", "Message-ID"],
                ).execute()  # fmt: skip
                headers = {header["name"].lower(): header["value"] for header in message["payload"]["headers"]}
                if headers["message-id"] in seen:
                    continue
                seen.add(headers["message-id"])
                sender = parseaddr(headers["from"])[1].lower()
                recipients = [
                    address.lower() for _, address in getaddresses([headers.get("to", ""), headers.get("cc", "")])
                ]
                known = next(
                    (found for one in (sender, *recipients) if one not in users and (found := find(one))), None
                )
                if known is None:
                    continue
                contact, related = known
                outbound = sender in users
                fields = {
                    "Subject": headers["subject"],
                    "MessageDate": datetime.fromtimestamp(int(message["internalDate"]) / 1000).astimezone().isoformat(),
                    "Incoming": not outbound,
                    "Status": "3",
                    "FromAddress": sender,
                    "RelatedToId": related,
                    "MessageIdentifier": headers["message-id"],
                    "ToIds" if outbound else "FromId": [contact] if outbound else contact,
                }
                made = sf.EmailMessage.create(fields)["id"]
                task = sf.EmailMessage.get(made)["ActivityId"]
                sf.Task.update(task, {"OwnerId": users[mailbox]})
                written += 1
            request = gmail.users().messages().list_next(request, page)
    measure.say(written=written, work_s=time.process_time() - started)


def run(*, pairs: int | None = None, scale: float = 1.0) -> measure.Outcome:
    """Measure; return the outcome."""
    from mail_stage import gmail_units, mail_stage, requests_in_all, salesforce_calls, write_calls
    from mail_world import NEXT_DAY, START

    mails = max(20, int(MAILS * scale))
    counted: dict[str, Any] = {}

    def after(side: str, sample: measure.Sample) -> None:
        assert sample.said["written"] == mails, f"{side} wrote {sample.said['written']} of {mails} mails"
        counted[side] = stage.ledger()

    def after_daily(side: str, sample: measure.Sample) -> None:
        assert sample.said["written"] == mails, f"{side} wrote {sample.said['written']} of {mails} mails"
        counted[f"daily {side}"] = stage.ledger()

    with tempfile.TemporaryDirectory(prefix="leakwatch-bench-") as folder, mail_stage(Path(folder), mails) as stage:
        options = stage.options(START, since=START - timedelta(days=90))
        script = Path(__file__)
        times = pairs or measure.PAIRS
        samples = measure.interleave(script, options, pairs=times, before=lambda _side: stage.go_back(), after=after)
        # The daemon's everyday: the first run is long past, the mirror job has just run, 1,000 mails came since.
        stage.go_back()
        measure.run_side(script, "leakwatch", options)
        stage.sandbox.move_to(NEXT_DAY)
        later = stage.options(NEXT_DAY, since=START, mirror_max_age_minutes=20)
        stage.count_anew()
        measure.run_side(script, "leakwatch", later | {"step": "mirror"})
        mirror = salesforce_calls(stage.ledger())
        stage.keep("next_day")
        daily = measure.interleave(
            script, later, pairs=times, before=lambda _side: stage.go_back("next_day"), after=after_daily
        )
        # What a capture asks the org even if nothing is new; the rest of a daily run is writing.
        stage.go_back("next_day")
        measure.run_side(script, "leakwatch", later)
        stage.count_anew()
        measure.run_side(script, "leakwatch", later)
        fixed = salesforce_calls(stage.ledger())

    def per_mail(side: str, figure: str | None = "work_s") -> float:
        return measure.least(samples[side], figure) / mails * 1000

    def per_thousand(calls: int) -> float:
        return calls * 1000 / mails

    ours, theirs = counted["leakwatch"], counted["peer"]
    ratio = per_mail("leakwatch") / per_mail("peer")
    everyday, theirs_daily = (measure.least(daily[side], "work_s") / mails * 1000 for side in ("leakwatch", "peer"))
    calls = per_thousand(salesforce_calls(counted["daily leakwatch"]) - fixed)
    in_all = [f"{per_thousand(salesforce_calls(ledger)):.0f}" for ledger in (ours, theirs)]
    over_the_wire = [f"{per_thousand(requests_in_all(ledger)):.0f}" for ledger in (ours, theirs)]
    rows = [
        ("client CPU per mail, first run", f"{per_mail('leakwatch'):.2f} ms", f"{per_mail('peer'):.2f} ms"),
        ("  ratio", f"{ratio:.2f} (1/{1 / ratio:.1f})", "1"),
        ("  with the program's start", f"{per_mail('leakwatch', None):.2f} ms", f"{per_mail('peer', None):.2f} ms"),
        ("client CPU per mail, daily run", f"{everyday:.2f} ms", f"{theirs_daily:.2f} ms"),
        ("  ratio", f"{everyday / theirs_daily:.2f} (1/{theirs_daily / everyday:.1f})", "1"),
        ("peak memory", f"{measure.peak(samples['leakwatch']):.0f} MB", f"{measure.peak(samples['peer']):.0f} MB"),
        ("Salesforce calls per 1,000 mails", "", ""),
        ("  writing, reading back, owners", f"{calls:.1f}", f"{per_thousand(write_calls(theirs)):.0f}"),
        ("  whole first run, with the mirror", *in_all),
        ("  fixed calls of a daily capture", f"{fixed}", ""),
        ("  fixed calls of a mirror refresh", f"{mirror}", ""),
        ("HTTP requests per 1,000 mails, first run", *over_the_wire),
        ("Gmail quota units per mail", f"{gmail_units(ours) / mails:.1f}", f"{gmail_units(theirs) / mails:.1f}"),
    ]  # fmt: skip
    targets = [
        measure.Target("Salesforce calls to write 1,000 mails, owners given", calls, TARGET_CALLS),
        measure.Target("CPU per mail of a daily run, ratio to the peer", everyday / theirs_daily, TARGET_CPU),
        measure.Target("CPU per mail of the first run, ratio to the peer", ratio, TARGET_CPU, binding=False),
    ]
    title = f"mail_capture: {mails:,} mails of ten mailboxes, captured end to end"
    outcome = measure.judged(
        "mail_capture",
        title,
        samples | {"daily leakwatch": daily["leakwatch"], "daily peer": daily["peer"]},
        rows,
        targets,
        figure="work_s",
    )
    outcome.samples["ledgers"] = {"first_run": ours, "daily_run": counted["daily leakwatch"], "peer": theirs}
    return outcome


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=("leakwatch", "peer"), required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    arguments = parser.parse_args()
    {"leakwatch": leakwatch, "peer": peer}[arguments.side](arguments.options)
