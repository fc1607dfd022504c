"""tap-salesforce (PyPI) in REST mode against the sandbox: discovery, a full sync of every stream, and a second one.

Its program is run as it is. It knows login.salesforce.com alone, so it goes through the sandbox's proxy; it logs in
by refresh token and writes the next one into its configuration.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import requests
from checks import info, refused, works

INFO = info()
ORG = INFO["salesforce"]
DATA = f"{ORG['instance_url']}/services/data/v61.0"
PROGRAM = Path(sys.executable).with_name("tap-salesforce")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One run of the program."""
    command = [str(PROGRAM), "-c", str(folder / "config.json"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    return done


def configure(folder: Path, **changed: str) -> None:
    """Write the configuration that its README asks for."""
    config = {
        "client_id": ORG["client_id"],
        "client_secret": ORG["client_secret"],
        "refresh_token": ORG["refresh_token"],
        "start_date": "2000-01-01T00:00:00Z",
        "api_type": "REST",
        "select_fields_by_default": "true",
    }
    (folder / "config.json").write_text(json.dumps(config | changed), encoding="utf-8")


def messages(text: str) -> list[dict[str, Any]]:
    """What the tap wrote, message by message."""
    return [json.loads(line) for line in text.splitlines()]


def asked(path: str, **params: str) -> dict[str, Any]:
    """The sandbox's own answer, to hold the tap's against."""
    answer = requests.get(
        f"{DATA}/{path}", params=params, headers={"Authorization": f"Bearer {ORG['access_token']}"}, timeout=60
    )
    answer.raise_for_status()
    return answer.json()


def main() -> None:
    """All of it, in order."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configure(folder, refresh_token="wrong")
        with refused("a wrong refresh token is refused", "invalid_grant"):
            run(folder, "--discover")
        configure(folder)
        catalog: dict[str, Any] = {"streams": []}
        with works("discovery describes every object that the org lists"):
            catalog = json.loads(run(folder, "--discover").stdout)
            listed = {one["name"] for one in asked("sobjects")["sobjects"]}
            found = {one["stream"] for one in catalog["streams"]}
            assert found <= listed and {"Account", "Opportunity", "Task", "OpportunityFieldHistory"} <= found
        with works("a new refresh token is kept for the next run"):
            kept = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            assert kept["refresh_token"] != ORG["refresh_token"]
        for stream in catalog["streams"]:
            root = next(one for one in stream["metadata"] if one["breadcrumb"] == [])
            root["metadata"]["selected"] = True
            for key in root["metadata"].get("valid-replication-keys", ()):
                root["metadata"] |= {"replication-method": "INCREMENTAL", "replication-key": key}
        (folder / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")
        first: list[dict[str, Any]] = []
        with works("a sync of all streams gives every row of each, deleted ones too"):
            first = messages(run(folder, "--properties", str(folder / "catalog.json")).stdout)
            counted = Counter(one["stream"] for one in first if one["type"] == "RECORD")
            for stream in {one["stream"] for one in first if one["type"] == "SCHEMA"}:
                there = asked("queryAll", q=f"SELECT COUNT() FROM {stream}")["totalSize"]
                assert counted[stream] == there, f"{stream}: {counted[stream]} of {there}"
            assert counted.total() > 300
        with works("records keep to the schema that discovery made of describe"):
            schemas = {one["stream"]: one["schema"]["properties"] for one in first if one["type"] == "SCHEMA"}
            strays = {
                f"{one['stream']}.{field}"
                for one in first
                if one["type"] == "RECORD"
                for field in set(one["record"]) - set(schemas[one["stream"]])
            }
            assert not strays, strays
        with works("a second run goes on from its bookmarks"):
            state = [one["value"] for one in first if one["type"] == "STATE"][-1]
            (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
            again = messages(
                run(folder, "--properties", str(folder / "catalog.json"), "--state", str(folder / "state.json")).stdout
            )
            assert state["bookmarks"]["Opportunity"]["SystemModstamp"]
            opportunities = [
                [one["record"] for one in run if one["type"] == "RECORD" and one["stream"] == "Opportunity"]
                for run in (first, again)
            ]
            newest = max(one["SystemModstamp"] for one in opportunities[0])
            assert len(opportunities[0]) > len(opportunities[1]) > 0
            assert {one["SystemModstamp"] for one in opportunities[1]} == {newest}


if __name__ == "__main__":
    main()
