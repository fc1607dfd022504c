"""The rule file's format, strictly: what may stand in a rule's YAML. `schema.py` publishes it as a JSON Schema."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator

from leakwatch.model import Mode, Severity, Text

_DURATION = re.compile(r"(\d+)(m|h|d|w)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def _text(value: Any) -> Text:
    if isinstance(value, str) and value.strip():
        return Text(en=value.strip(), tr=value.strip())
    if isinstance(value, dict):
        parts: dict[str, Any] = dict(value)
        if set(parts) == {"en", "tr"} and all(isinstance(part, str) and part.strip() for part in parts.values()):
            return Text(en=parts["en"].strip(), tr=parts["tr"].strip())
    raise ValueError("expected a text, or a text for each of `en` and `tr`")


def _duration(value: Any) -> timedelta:
    match = _DURATION.fullmatch(str(value))
    if not match:
        raise ValueError("expected a duration like 30m, 6h, 14d or 2w")
    return int(match[1]) * _UNITS[match[2]]


def _one_line(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


TextSpec = Annotated[
    Text,
    PlainValidator(_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"en": {"type": "string"}, "tr": {"type": "string"}},
                    "required": ["en", "tr"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
Duration = Annotated[
    timedelta, PlainValidator(_duration), WithJsonSchema({"type": "string", "pattern": r"^\d+(m|h|d|w)$"})
]
Whole = Annotated[int, Field(strict=True, ge=1)]  # `version: true` is no version
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Sql = Annotated[str, BeforeValidator(_one_line), Field(min_length=1)]
Share = Annotated[Decimal, Field(ge=0, le=1)]
Scalar = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]})
]


class Strict(BaseModel):
    """A mapping in which an unknown key is an error: a typo would silently weaken a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ParamSpec(Strict):
    """A threshold. Dates are derived from `as_of_date`, because SQL knows no clock."""

    type: Literal["int", "decimal", "date", "text", "bool"]
    default: Scalar = None
    min: Scalar = None
    max: Scalar = None
    help: TextSpec | None = None
    derive: Annotated[list[Any], Field(min_length=3, max_length=3)] | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> ParamSpec:
        if (self.default is None) == (self.derive is None):
            raise ValueError("give either `default` or `derive`")
        return self


class NeedSpec(Strict):
    """A table the rule can't do without. Older than `fresh_within`, the rule resolves none and holds what it opens."""

    fresh_within: Duration | None = None
    without: dict[Word, TextSpec] = Field(default_factory=dict[str, TextSpec])  # column -> way out; {name} is its name


class OptionalSpec(Strict):
    """What may be missing: of a needed table these columns, otherwise any column or the whole table.

    The texts say what is assumed then: for a column, and in `assume` for the whole table.
    """

    columns: dict[Word, TextSpec | None] | None = None
    assume: TextSpec | None = None


class ImpactSpec(Strict):
    """Which column holds the money, and what kind of money it is."""

    column: Word
    kind: Literal["at_risk", "lost", "deviation"]


class WindowSpec(Strict):
    """How long a rule looks at a record: what is older leaves its sight, and nobody mended it."""

    column: Word  # a day; one of `show`, so that a finding still has it when the rule sees its record no more
    days: Word  # the parameter that says for how many days; 0 is for ever


class ConditionSpec(Strict):
    """A comparison of one column with a fixed value."""

    gt: Scalar = None
    gte: Scalar = None
    lt: Scalar = None
    lte: Scalar = None
    eq: Scalar = None
    ne: Scalar = None

    @model_validator(mode="after")
    def _has_one_test(self) -> ConditionSpec:
        if not self.model_fields_set:
            raise ValueError("expected one of gt, gte, lt, lte, eq, ne")
        return self


class SeverityWhenSpec(Strict):
    """If all conditions hold, the finding has this severity. The first that fits counts.

    A limit on the impact's column is in the company's currency: rows in another one are converted, and where its rate
    is not known, the condition does not hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    conditions: dict[Word, ConditionSpec] = Field(alias="if", min_length=1)
    then: Severity


class FindingSpec(Strict):
    """How a row of the result becomes a finding: which column is what."""

    object: str
    key: list[Word] = Field(default=["record_id"], min_length=1)
    owner: Word = "owner_id"
    manager: Word | None = None  # left out: looked up from the owner
    name: Word | None = None
    account: Word | None = None
    about: Word | None = None  # the record that Tasks and posts go on, where that is another one than the row's
    currency: Word | None = None
    impact: ImpactSpec | None = None
    window: WindowSpec | None = None
    show: list[Word] = Field(default_factory=list[str])
    words: dict[Word, dict[str, TextSpec]] = Field(default_factory=dict[str, dict[str, Text]])  # codes in plain words
    message: TextSpec
    severity_when: list[SeverityWhenSpec] = Field(default_factory=list[SeverityWhenSpec])


class ProcessSpec(Strict):
    """A field that is empty in nearly every record the rule examines: one finding about the process, with its count.

    `empty` and `of` name columns of `population_sql`: in how many records the field is empty, and of how many.
    """

    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]  # table.column
    empty: Word
    of: Word | None = None  # left out: the first column, the rule's population
    share: Share = Decimal("0.95")
    min_rows: Whole = 20
    severity: Severity | None = None
    replaces_findings: bool = False  # True: the single findings say the same of each record, so they are left out
    message: TextSpec
    fix: TextSpec


class EscalationSpec(Strict):
    """Who is told after how long without acknowledgement."""

    after: Duration
    to: Literal["manager", "revops"]


class LifecycleSpec(Strict):
    """How findings are born, confirmed, closed and escalated. What is left out has the default of `model.Lifecycle`."""

    confirm_runs: Whole | None = None
    keep_open_runs: Whole | None = None
    reopen_within: Duration | None = None
    remind_every: Duration | None = None
    ack_timeout: Duration | None = None
    closed_task_grace: Duration | None = None
    grew_share: Annotated[Decimal, Field(gt=0)] | None = None
    escalate: list[EscalationSpec] | None = None
    yields_to: list[str] | None = None


class LimitsSpec(Strict):
    """Limits on harm."""

    per_owner_per_day: Whole | None = None
    new_per_run: Whole | None = None
    new_share: Share | None = None


class TaskSpec(Strict):
    """A Task for the owner."""

    to: Literal["owner", "manager"] = "owner"
    due: str | None = None  # business days, e.g. 2bd
    subject: TextSpec | None = None
    priority_from: Literal["severity"] | None = None


class ChatterSpec(Strict):
    """A Chatter post on the record."""

    on: Literal["open", "escalate"] = "open"
    mention: list[Literal["owner", "manager"]] = Field(default_factory=lambda: ["owner"])
    show_money: bool = True  # False: followers of the record see no amounts, whatever the notice settings allow


class ActionSpec(Strict):
    """One way of telling somebody."""

    task: TaskSpec | None = None
    chatter: ChatterSpec | None = None

    @model_validator(mode="after")
    def _is_one_action(self) -> ActionSpec:
        if len(self.model_fields_set) != 1:
            raise ValueError("expected exactly one action in each entry")
        return self


class TestSpec(Strict):
    """An example that the rule must judge rightly: rows given, rows expected; both missing and extra ones fail."""

    __test__ = False  # not a test class of pytest

    name: str
    as_of: date
    params: dict[Word, Scalar] = Field(default_factory=dict[str, Any])
    given: dict[Word, list[dict[Word, Scalar]]]
    expect: list[dict[Word, Scalar]]
    population: int | None = None
    unjudged: int | None = None
    counts: dict[Word, int] = Field(default_factory=dict[str, int])  # other columns of population_sql
    missing: list[str] = Field(default_factory=list[str])  # tables and table.columns the data lack in this example


class RuleSpec(Strict):
    """One rule file."""

    id: Word
    version: Whole
    title: TextSpec
    category: Word
    severity: Severity
    owner_team: str
    mode: Mode = Mode.REPORT
    why: TextSpec
    fix: TextSpec
    reading: TextSpec | None = None
    runbook: str = ""
    needs: dict[Word, NeedSpec] = Field(min_length=1)
    optional: dict[Word, OptionalSpec] = Field(default_factory=dict[str, OptionalSpec])
    params: dict[Word, ParamSpec] = Field(default_factory=dict[str, ParamSpec])
    with_sql: Sql | None = None
    sql: Sql
    population_sql: Sql | None = None
    unjudged_sql: Sql | None = None  # counts those of the population that lack what the rule judges by
    unjudged: TextSpec | None = None  # says so; {count} and {population} are there beside the parameters
    finding: FindingSpec
    process: list[ProcessSpec] = Field(default_factory=list[ProcessSpec])
    lifecycle: LifecycleSpec = LifecycleSpec()
    limits: LimitsSpec = LimitsSpec()
    actions: list[ActionSpec] = Field(default_factory=list[ActionSpec])
    tests: list[TestSpec] = Field(min_length=1)

    @model_validator(mode="after")
    def _unjudged_is_whole(self) -> RuleSpec:
        given = [self.unjudged_sql is not None, self.unjudged is not None]
        if any(given) and not (all(given) and self.population_sql is not None):
            raise ValueError("`unjudged_sql` and `unjudged` go together, and with `population_sql`")
        return self
