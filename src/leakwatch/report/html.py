"""The report as one HTML file: no script, nothing from outside, light and dark, screen and A4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from leakwatch.report import charts, view
from leakwatch.report.hostile import clean, record_url
from leakwatch.report.words import Words

ROWS_PER_RULE = 25  # in the listing; all findings are in the CSV and JSON
ROWS_PER_TABLE = 60  # teams, people, exceptions, mailboxes, notes
_LONGEST_TEXT = 240  # of a name or message from the CRM; longer ones are cut with an ellipsis


def render_html(result: Mapping[str, Any], language: str | None = None) -> str:
    """Return the report as a self-contained HTML page.

    Args:
        result: what `core.report` built, or its JSON read back.
        language: `en` or `tr`; the result's own if left out.
    """
    words = Words(language or result["language"], result["time_zone"])
    base_url = result["org"]["base_url"]

    def record(finding: Mapping[str, Any]) -> Markup:
        name = _crm(finding["record_name"] or words("value.no_name"))
        url = record_url(base_url, finding["record_id"])
        return Markup('<a href="{}" rel="noopener">{}</a>').format(url, name) if url else name

    def share(amount: Decimal, lines: Sequence[Mapping[str, Any]]) -> Decimal:
        largest = max((view.main_amount(line["amounts"], result["main_currency"])[1] for line in lines), default=None)
        return amount / largest if largest else Decimal(0)

    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            words=words,
            view=view,
            charts=charts,
            record=record,
            name_of=lambda key: lambda line: line[key] or "",
            share=share,
            rows_per_rule=ROWS_PER_RULE,
            rows_per_table=ROWS_PER_TABLE,
        )
    )


def _crm(text: str) -> Markup:
    """Return text that somebody typed: cleaned, cut, escaped, and kept from turning its surroundings around."""
    calm = clean(text)
    shown = calm if len(calm) <= _LONGEST_TEXT else calm[: _LONGEST_TEXT - 1] + "…"
    return Markup("<bdi>{}</bdi>").format(shown)


def _finalize(value: Any) -> Any:
    """Clean whatever a template prints, unless it is markup of our own."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else clean(value)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("leakwatch.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["crm"] = _crm
    return environment
