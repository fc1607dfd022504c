"""All findings as CSV: one dialect for programs, one that a Turkish Excel opens by double click."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from leakwatch.core.report_values import evidence_type
from leakwatch.report.hostile import cell, clean, record_url
from leakwatch.report.words import Words

Dialect = Literal["standard", "excel-tr"]
Json = Mapping[str, Any]

_NO_RULE: Json = {"evidence_labels": {}, "evidence_words": {}, "evidence_types": {}}  # of a rule that is gone
_BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as the machine's old code page


def render_csv(result: Json, dialect: Dialect = "standard", language: str | None = None) -> bytes:
    """Return every finding of the result as one row.

    `standard` is RFC 4180: UTF-8, comma, CRLF, decimal point, ISO dates, fixed English column names and codes.
    `excel-tr` adds a byte order mark and uses semicolon, decimal comma, dd.mm.yyyy dates and words instead of codes.
    Text cells that a spreadsheet would take for a formula begin with an apostrophe; amounts and counts stay numbers.

    Args:
        result: what `core.report` built, or its JSON read back.
        dialect: see above.
        language: of messages, and in `excel-tr` of column names and codes; default Turkish there, else the result's.

    Raises:
        ValueError: there is no such dialect.
    """
    if dialect not in ("standard", "excel-tr"):
        raise ValueError(f"there is no CSV dialect {dialect!r}; use standard or excel-tr")
    turkish_excel = dialect == "excel-tr"
    words = Words(language or ("tr" if turkish_excel else result["language"]), result["time_zone"])
    form = _Form(words, result, for_people=turkish_excel)
    header = words if turkish_excel else Words("en")
    out = io.StringIO(newline="")
    if turkish_excel:
        out.write(_BYTE_ORDER_MARK)
    writer = csv.writer(out, delimiter=";" if turkish_excel else ",", lineterminator="\r\n")
    columns = _columns(form)
    writer.writerow([header(f"csv.{name}") for name in columns])
    writer.writerows([make(finding) for make in columns.values()] for finding in result["findings"])
    return out.getvalue().encode("utf-8")


@dataclass(frozen=True, slots=True)
class _Form:
    """How values are written: for people (Turkish Excel) or for programs."""

    words: Words
    result: Json
    for_people: bool

    def text(self, name: str, finding: Json) -> str:
        value = finding[name]
        return "" if value is None else cell(value)

    def code(self, name: str, prefix: str, finding: Json) -> str:
        value = finding[name]
        if value is None:
            return ""
        return cell(self.words.known(prefix, value)) if self.for_people else cell(value)

    def sobject(self, finding: Json) -> str:
        return cell(self.words.sobject(finding["sobject"]) if self.for_people else finding["sobject"])

    def number(self, name: str, finding: Json) -> str:
        value = finding[name]
        return "" if value is None else self.decimal(str(value))

    def decimal(self, value: str) -> str:
        return value.replace(".", ",") if self.for_people else value

    def truth(self, name: str, finding: Json) -> str:
        if self.for_people:
            return self.words("value.true" if finding[name] else "value.false")
        return "true" if finding[name] else "false"

    def day(self, name: str, finding: Json) -> str:
        value = finding[name]
        return "" if value is None else self._day(self.words.local_day(value).isoformat())

    def _day(self, iso: str) -> str:
        year, month, day = iso.split("-")
        return f"{day}.{month}.{year}" if self.for_people else iso

    def both(self, name: str, finding: Json) -> str:
        return cell(self.words.text(finding[name]))

    def title(self, titles: Json, finding: Json) -> str:
        return cell(titles.get(finding["rule_id"], finding["rule_id"]))

    def url(self, finding: Json) -> str:
        return record_url(self.result["org"]["base_url"], finding["record_id"]) or ""

    def evidence(self, rules: Json, finding: Json) -> str:
        rule = rules.get(finding["rule_id"], _NO_RULE)
        shown = (
            f"{self._label(name, rule)}={self._said(name, value, rule)}" for name, value in finding["evidence"].items()
        )
        return cell("; ".join(shown))

    def shown(self, name: str, rules: Json, finding: Json) -> str:
        """Return one column of the evidence as a cell of its own; nothing where the rule does not show it."""
        rule = rules.get(finding["rule_id"], _NO_RULE)
        return cell(self._said(name, finding["evidence"].get(name), rule))

    def _label(self, name: str, rule: Json) -> str:
        label = rule["evidence_labels"].get(name)
        return self.words.text(label) if self.for_people and label else name

    def _said(self, name: str, value: Any, rule: Json) -> str:
        said = rule["evidence_words"].get(name, {}).get(str(value))
        return (
            self.words.text(said) if self.for_people and said else self._shown(value, rule["evidence_types"].get(name))
        )

    def _shown(self, value: Any, kind: str | None) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return self.truth("value", {"value": value})
        kind = kind or evidence_type(value)
        if kind in ("decimal", "integer"):
            return self.decimal(str(value))
        return self._day(value) if kind == "date" else clean(str(value))


def _columns(form: _Form) -> dict[str, Callable[[Json], str]]:
    """Return column name -> how its cell is made, in the order of the file."""
    result = form.result
    titles = {rule["id"]: form.words.text(rule["title"]) for rule in result["rules"]}
    rules = {rule["id"]: rule for rule in result["rules"]}
    return {
        "rule": partial(form.title, titles),
        "severity": partial(form.code, "severity", "severity"),
        "status": partial(form.code, "status", "status"),
        "object": form.sobject,
        "record_name": partial(form.text, "record_name"),
        "account": partial(form.text, "account_name"),
        "stage": partial(form.shown, "stage_name", rules),
        "close_date": partial(form.shown, "close_date", rules),
        "owner": partial(form.text, "owner_name"),
        "manager": partial(form.text, "manager_name"),
        "amount": partial(form.number, "impact"),
        "currency": partial(form.text, "currency"),
        "kind": partial(form.code, "impact_kind", "kind"),
        "problem": partial(form.both, "message"),
        "fix": partial(form.both, "fix"),
        "since": partial(form.day, "since"),
        "evidence": partial(form.evidence, rules),
        "record_url": form.url,
        "count": partial(form.number, "count"),
        "process": partial(form.truth, "process"),
        "counted": partial(form.truth, "counted"),
        "proof": partial(form.code, "proof", "proof"),
        "resolved_reason": partial(form.code, "resolved_reason", "resolved"),
        "rule_id": partial(form.text, "rule_id"),
        "rule_version": partial(form.number, "rule_version"),
        "record_id": partial(form.text, "record_id"),
        "owner_id": partial(form.text, "owner_id"),
        "manager_id": partial(form.text, "manager_id"),
        "id": partial(form.text, "id"),
    }
