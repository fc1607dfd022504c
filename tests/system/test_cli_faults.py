"""Whatever goes wrong on the way, a command ends with its code and a word of advice, and loses nothing."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from system.cli_stage import Desk, Said, tables

API, QUERY, TOKEN = "/services/data/", "/query", "oauth2/token"
AGAIN = "nothing is lost: run the same command again"
ACCESS = "`leakwatch doctor` checks every access"
#: what goes wrong as long as the command runs -> its exit code and what it says
SALESFORCE: dict[str, tuple[dict[str, Any], int, str]] = {
    "a web page": ({"do": "html", "match": API}, 75, AGAIN),
    "a web page for a token": ({"do": "html", "match": TOKEN}, 75, AGAIN),
    "no token in it": ({"status": 200, "body": {"x": 1}, "match": TOKEN}, 75, AGAIN),
    "torn": ({"do": "reset", "match": API}, 75, AGAIN),
    "cut": ({"do": "truncate", "match": API}, 75, AGAIN),
    "a list of nothing": ({"status": 200, "body": [None], "match": API}, 75, AGAIN),
    "pages of no rows": ({"status": 200, "body": {"totalSize": 1, "records": [5]}, "match": QUERY}, 75, AGAIN),
    "no describe": ({"status": 200, "body": {"fields": [5]}, "match": "composite$|describe"}, 75, AGAIN),
    "no API": ({"code": "API_DISABLED_FOR_ORG", "match": API}, 3, "doctor"),
    "a query refused": ({"code": "MALFORMED_QUERY", "match": QUERY}, 1, ACCESS),
}


#: what passes while the command runs, so that it ends as if nothing had been
PASSING: dict[str, dict[str, Any]] = {
    "session gone": {"do": "expire_session", "match": QUERY, "times": 1},
    "cut": {"do": "truncate", "match": QUERY, "times": 2},
    "too slow": {"code": "QUERY_TIMEOUT", "match": QUERY, "times": 2},
    "a describe too few": {"do": "short_list", "match": "composite$"},
}
VERBS = ("audit", "act", "audit", "plan", "audit", "sync", "audit", "mirror")


def check(said: Said, code: int, words: str, what: str) -> None:
    """The command failed as it should."""
    assert (said.code, said.out) == (code, ""), (what, said)
    assert words in said.words, (what, said.words)
    assert "fault of leakwatch itself" not in said.words, (what, said.words)
    assert "Traceback" not in said.err, what


def changed_by_commands(desk: Desk) -> dict[str, list[Any]]:
    """Every row of the state file but those of the journal, which `sync` fills while Salesforce is away."""
    journal = {"principals", "cursors", "mail_copies", "activities", "decisions", "mailbox_reads"}
    return {name: rows for name, rows in tables(desk).items() if name not in journal}


def test_salesforce_out_of_order_ends_a_command_with_its_code_and_changes_nothing(desk: Desk) -> None:
    assert desk.run("mirror").code == 0
    state, org = changed_by_commands(desk), desk.dump()
    for (what, (rule, code, words)), verb in zip(SALESFORCE.items(), cycle(VERBS), strict=False):
        desk.fault(service="salesforce", **rule)
        check(desk.run(verb), code, words, f"{what}: {verb}")
        desk.company.control("DELETE", "/faults")
    assert (changed_by_commands(desk), desk.dump()) == (state, org)
    for verb in ("audit", "act"):
        assert desk.run(verb).code == 0
    assert desk.run("status", "--json").data["findings"]["open"] > 0


def test_what_passes_while_an_audit_runs_leaves_its_findings_as_they_would_be(desk: Desk) -> None:
    assert desk.run("mirror").code == 0

    def found() -> Any:
        said = desk.run("audit", "--dry-run", "--json")
        assert said.code == 0, said
        return [{name: rule[name] for name in rule if "_at" not in name} for rule in said.data["rules"]]

    undisturbed = found()
    for what, rule in PASSING.items():
        desk.fault(service="salesforce", **rule)
        assert found() == undisturbed, what
        assert desk.company.control("GET", "/ledger")["faults"], what
        desk.company.control("DELETE", "/faults")
        desk.company.control("DELETE", "/ledger")
