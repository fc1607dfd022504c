"""The audit of a Data Export of 1,000,000 deals, against pandas scripts for the same four rules.

leakwatch: `leakwatch audit --export FOLDER --as-of DAY --json`, which checks every byte and value of the files, loads
them, runs the rules and lists every finding with owner, money, evidence and words. Peer: `read_csv` of the columns
needed, filters, the rows found as JSON; it knows this one company's stages, and would not notice a broken file. The
same script as a loop over rows is shown too. All must count the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import measure

DEALS = 1_000_000
PAIRS = 3
TARGET_CPU = 0.5  # of the loop's; wanted of the whole-column script's, too, and far from it: see docs/benchmarks.md
TARGET_PEAK_MB = 1_000
CLOSED_LEAD = "Closed - Not Converted"
SHOWN = (
    "rule",
    "OwnerName",
    "Id",
    "Name",
    "OwnerId",
    "AccountId",
    "StageName",
    "Status",
    "Amount",
    "CloseDate",
    "Listed",
)
RULES = ("lead_stale", "opp_close_overdue", "opp_lost_without_reason", "opp_price_deviation")


def leakwatch(options: dict[str, Any]) -> None:
    """Run the command as a person does, its output into a file."""
    from leakwatch.cli import main

    os.chdir(options["folder"])  # no settings file there: the shipped defaults
    sys.argv = ["leakwatch", "audit", "--export", options["export"], "--as-of", options["as_of"], "--json"]
    with Path(options["out"]).open("w", encoding="utf-8") as out, redirect_stdout(out):
        try:
            code = main()
        except SystemExit as ended:
            code = ended.code
    assert not code, f"leakwatch ended with {code}"
    measure.say(counts=None)


def peer(options: dict[str, Any]) -> None:
    """Read the columns needed, filter, write the findings down: whole columns at a time, as pandas wants it."""
    import pandas as pd

    today = pd.Timestamp(options["as_of"])
    leads, deals, lines, users = tables(pd, Path(options["export"]))
    touched = pd.concat([leads["Created"], leads["LastActivityDate"]], axis=1).max(axis=1)
    is_open = (leads["IsDeleted"] == 0) & (leads["IsConverted"] == 0) & (leads["Status"] != CLOSED_LEAD)
    stale = leads[is_open & (touched <= today - pd.Timedelta(days=30))]

    deals = deals[deals["IsDeleted"] == 0]
    on_hold = deals["StageName"] == "On Hold"
    overdue = deals[(deals["IsClosed"] == 0) & ~on_hold & (deals["CloseDate"] < today - pd.Timedelta(days=14))]
    lost = (deals["IsClosed"] == 1) & (deals["IsWon"] == 0)
    no_reason = deals["Loss_Reason__c"].fillna("").str.strip() == ""
    by_then = deals["Changed"] <= today  # what closed after the day of the audit is not judged yet
    recent = by_then & (deals["Changed"] >= today - pd.Timedelta(days=365))
    without_reason = deals[(lost | on_hold) & no_reason & recent]

    lines = lines[lines["IsDeleted"] == 0]
    listed = (lines["ListPrice"] * lines["Quantity"]).groupby(lines["OpportunityId"]).sum().rename("Listed")
    won = deals[(deals["IsWon"] == 1) & deals["Amount"].notna() & by_then].merge(listed, left_on="Id", right_index=True)
    won = won[won["Listed"] > 0]
    deviating = won[(won["Amount"] < 0.5 * won["Listed"]) | (won["Amount"] > 1.25 * won["Listed"])]

    counts, findings = {}, []
    for rule, rows in zip(RULES, (stale, overdue, without_reason, deviating), strict=True):
        counts[rule] = len(rows)
        kept = rows.merge(users, left_on="OwnerId", right_on="UserId", how="left").assign(rule=rule)
        findings.append(kept[[name for name in SHOWN if name in kept]])
    pd.concat(findings).to_json(options["out"], orient="records", date_format="iso")
    measure.say(counts=counts)


def loop(options: dict[str, Any]) -> None:
    """The same, row by row: the loop that most scripts begin as."""
    import pandas as pd

    today = pd.Timestamp(options["as_of"])
    leads, deals, lines, users = tables(pd, Path(options["export"]))
    names = dict(zip(users["UserId"], users["OwnerName"], strict=True))
    listed: dict[str, float] = {}
    for _, line in lines.iterrows():
        if not line["IsDeleted"]:
            listed[line["OpportunityId"]] = listed.get(line["OpportunityId"], 0) + line["ListPrice"] * line["Quantity"]
    found: list[dict[str, Any]] = []

    def add(rule: str, row: Any) -> None:
        found.append({"rule": rule, "OwnerName": names.get(row["OwnerId"])} | {n: row.get(n) for n in SHOWN[2:]})

    for _, row in leads.iterrows():
        if row["IsDeleted"] or row["IsConverted"] or row["Status"] == CLOSED_LEAD:
            continue
        touched = row["Created"] if pd.isna(row["LastActivityDate"]) else max(row["Created"], row["LastActivityDate"])
        if touched <= today - pd.Timedelta(days=30):
            add("lead_stale", row)
    for _, row in deals.iterrows():
        if row["IsDeleted"]:
            continue
        on_hold = row["StageName"] == "On Hold"
        if not row["IsClosed"] and not on_hold and row["CloseDate"] < today - pd.Timedelta(days=14):
            add("opp_close_overdue", row)
        reason = "" if pd.isna(row["Loss_Reason__c"]) else row["Loss_Reason__c"].strip()
        lost = row["IsClosed"] and not row["IsWon"]
        by_then = row["Changed"] <= today
        if (lost or on_hold) and not reason and by_then and row["Changed"] >= today - pd.Timedelta(days=365):
            add("opp_lost_without_reason", row)
        reference = listed.get(row["Id"], 0)
        comparable = row["IsWon"] and by_then and not pd.isna(row["Amount"]) and reference > 0
        if comparable and (row["Amount"] < 0.5 * reference or row["Amount"] > 1.25 * reference):
            add("opp_price_deviation", row)
    Path(options["out"]).write_text(json.dumps(found, default=str), encoding="utf-8")
    counted = Counter(one["rule"] for one in found)
    measure.say(counts={rule: counted[rule] for rule in RULES})


def tables(pd: Any, folder: Path) -> tuple[Any, ...]:
    """Return leads, deals, lines and users with only the columns that are needed, days as days in Istanbul."""
    leads = pd.read_csv(
        folder / "Lead.csv",
        usecols=["Id", "Name", "OwnerId", "IsDeleted", "IsConverted", "Status", "CreatedDate", "LastActivityDate"],
        parse_dates=["CreatedDate", "LastActivityDate"],
    )
    deals = pd.read_csv(
        folder / "Opportunity.csv",
        usecols=[
            "Id",
            "IsDeleted",
            "Name",
            "AccountId",
            "OwnerId",
            "StageName",
            "Amount",
            "CloseDate",
            "IsClosed",
            "IsWon",
            "LastStageChangeDate",
            "Loss_Reason__c",
        ],
        parse_dates=["CloseDate", "LastStageChangeDate"],
    )
    lines = pd.read_csv(
        folder / "OpportunityLineItem.csv", usecols=["OpportunityId", "IsDeleted", "ListPrice", "Quantity"]
    )
    users = pd.read_csv(folder / "User.csv", usecols=["Id", "Name"])
    users = users.rename(columns={"Id": "UserId", "Name": "OwnerName"})
    leads["Created"] = _day(leads["CreatedDate"])
    deals["Changed"] = _day(deals["LastStageChangeDate"])
    return leads, deals, lines, users


def _day(moments: Any) -> Any:
    return moments.dt.tz_convert("Europe/Istanbul").dt.tz_localize(None).dt.normalize()


def check(options: dict[str, Any]) -> None:
    """Count the findings in leakwatch's JSON; a process of its own, not measured."""
    result = json.loads(Path(options["out"]).read_text(encoding="utf-8"))
    counted = Counter(finding["rule_id"] for finding in result["findings"])
    measure.say(counts={rule: counted[rule] for rule in RULES})


def run(*, pairs: int | None = None, scale: float = 1.0) -> measure.Outcome:
    """Measure; return the outcome."""
    import export_data

    deals = max(1_000, int(DEALS * scale))
    counts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="leakwatch-bench-") as name:
        folder = Path(name)
        export = export_data.write_export(folder / "export", deals)
        size = sum(path.stat().st_size for path in export.iterdir()) / 1e6
        options = {
            "folder": name,
            "export": str(export),
            "as_of": export_data.AS_OF.isoformat(),
            "out": str(folder / "out.json"),
        }

        def after(side: str, sample: measure.Sample) -> None:
            counted = measure.run_side(Path(__file__), "check", options) if side == "leakwatch" else sample
            counts[side] = counted.said["counts"]

        sides = ("leakwatch", "peer", "loop")
        samples = measure.interleave(Path(__file__), options, pairs=pairs or PAIRS, sides=sides, after=after)
    assert counts["leakwatch"] == counts["peer"] == counts["loop"], f"they do not agree: {counts}"
    ours, theirs, looped = (measure.least(samples[side]) for side in sides)
    walls = {side: min(one.wall_s for one in found) for side, found in samples.items()}
    highest = measure.peak(samples["leakwatch"])
    rows = [
        ("CPU", f"{ours:.1f} s", f"{theirs:.1f} s"),
        ("  ratio", f"{ours / theirs:.2f}", "1"),
        ("CPU of the row-by-row loop", "", f"{looped:.1f} s"),
        ("  ratio to the loop", f"{ours / looped:.2f} (1/{looped / ours:.1f})", "1"),
        ("wall, fastest", f"{walls['leakwatch']:.1f} s", f"{walls['peer']:.1f} s"),
        ("peak memory", f"{highest:.0f} MB", f"{measure.peak(samples['peer']):.0f} MB"),
        *((f"findings {rule}", f"{counts['leakwatch'][rule]:,}", f"{counts['peer'][rule]:,}") for rule in RULES),
    ]
    targets = [
        measure.Target("CPU, ratio to the row-by-row loop", ours / looped, TARGET_CPU),
        measure.Target("CPU, ratio to the pandas script", ours / theirs, TARGET_CPU, binding=False),
        measure.Target("peak memory", highest, TARGET_PEAK_MB, " MB"),
    ]
    title = f"export_audit: a Data Export of {deals:,} deals ({size:,.0f} MB)"
    return measure.judged("export_audit", title, samples, rows, targets)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--side", choices=("leakwatch", "peer", "loop", "check"), required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    arguments = parser.parse_args()
    {"leakwatch": leakwatch, "peer": peer, "loop": loop, "check": check}[arguments.side](arguments.options)
