"""Loads rule files: format, parameters, SQL and texts are checked before anything runs, all faults told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from leakwatch.core import strict_yaml
from leakwatch.core.tables import Catalog
from leakwatch.errors import ConfigError
from leakwatch.model import EscalationStep, Lifecycle, Rule, RuleAction, RuleLimits, Text
from leakwatch.rule_engine import checks, params
from leakwatch.rule_engine.checks import full_sql
from leakwatch.rule_engine.lint import Query
from leakwatch.rule_engine.messages import Sentence
from leakwatch.rule_engine.overrides import Override, load_overrides
from leakwatch.rule_engine.spec import RuleSpec

SHIPPED_FOLDER = Path(__file__).parent.parent / "rules"
USER_PREFIX = "custom_"  # ids of a customer's own rules: they can never take the place of a shipped one

_ANY_DAY = date(2000, 1, 1)  # a stand-in for as_of_date while checking


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule that passed every check, with what the engine needs to run it."""

    rule: Rule
    spec: RuleSpec
    query: Query
    population: Query | None
    unjudged: Query | None
    message: Sentence
    process_messages: tuple[Sentence, ...]  # one for each entry of `process`
    unjudged_message: Sentence | None
    shipped: bool

    @property
    def param_help(self) -> dict[str, Text]:
        """What each setting means, where the rule says so."""
        return {name: param.help for name, param in self.spec.params.items() if param.help is not None}

    @property
    def reads(self) -> Mapping[str, frozenset[str]]:
        """The columns that any of the rule's queries reads, by table."""
        found: dict[str, frozenset[str]] = {}
        for query in (self.query, self.population, self.unjudged):
            for table, columns in (query.reads if query else {}).items():
                found[table] = found.get(table, frozenset()) | columns
        return found

    @property
    def reading(self) -> Text | None:
        """How the rule understands an ambiguous definition, if it says so."""
        return self.spec.reading


def load_rules(
    catalog: Catalog,
    *,
    user_folder: Path | None = None,
    overrides: Path | None = None,
    shipped_folder: Path = SHIPPED_FOLDER,
    user_prefix: str = USER_PREFIX,
) -> tuple[LoadedRule, ...]:
    """Return the shipped rules and those in `user_folder` (may be missing), with `overrides` applied, by id.

    `catalog` says which tables and columns exist (`MirrorConfig.catalog()`).

    Raises:
        ConfigError: with every fault of every file. Nothing is loaded then: a rule that is silently left out looks
            like a rule that found nothing.
    """
    problems: list[str] = []
    found: list[tuple[strict_yaml.Document, RuleSpec, bool]] = []
    for folder, shipped in ((shipped_folder, True), (user_folder, False)):
        if folder is None or not folder.is_dir():
            continue
        for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            try:
                document = strict_yaml.read(path)
                spec = strict_yaml.validate(RuleSpec, document)
            except ConfigError as error:
                problems += error.problems
                continue
            problems += _name_problems(document, spec, path, "" if shipped else user_prefix)
            found.append((document, spec, shipped))
    changes: Mapping[str, Override] = {}
    try:
        changes = load_overrides(overrides, {spec.id: spec for _, spec, _ in found}) if overrides else {}
    except ConfigError as error:
        problems += error.problems
    rules: list[LoadedRule] = []
    for document, spec, shipped in found:
        try:
            rules.append(_load(document, spec, catalog, changes.get(spec.id), shipped=shipped))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return tuple(sorted(rules, key=lambda item: item.rule.id))


def load_rule(document: strict_yaml.Document, catalog: Catalog, *, override: Override | None = None) -> LoadedRule:
    """Return the rule in one document. Raises ConfigError with all its faults."""
    return _load(document, strict_yaml.validate(RuleSpec, document), catalog, override, shipped=False)


def _name_problems(document: strict_yaml.Document, spec: RuleSpec, path: Path, prefix: str) -> list[str]:
    at = document.at(("id",))
    problems: list[str] = []
    if spec.id != path.stem:
        problems.append(f"{at}: the id `{spec.id}` and the file name must be the same")
    if not spec.id.startswith(prefix):
        problems.append(f"{at}: the id of your own rules must begin with `{prefix}`, for instance `{prefix}{spec.id}`")
    return problems


def _load(
    document: strict_yaml.Document, spec: RuleSpec, catalog: Catalog, override: Override | None, *, shipped: bool
) -> LoadedRule:
    problems, values = _param_values(document, spec, override)
    if problems:
        raise ConfigError(problems)
    now = datetime(_ANY_DAY.year, _ANY_DAY.month, _ANY_DAY.day, tzinfo=UTC)
    samples = params.resolve(spec.params, values, as_of_date=_ANY_DAY, as_of=now)
    query, problems = checks.query_of(document, spec, "sql", catalog, samples)
    population, more = checks.query_of(document, spec, "population_sql", catalog, samples)
    problems += more
    unjudged, more = checks.query_of(document, spec, "unjudged_sql", catalog, samples)
    problems += more
    templates, more = checks.templates_of(document, spec, query, samples)
    problems += more
    if query is not None:
        queries = [item for item in (query, population, unjudged) if item is not None]
        problems += checks.column_problems(document, spec, query)
        problems += checks.table_problems(document, spec, queries, catalog)
        problems += checks.process_problems(document, spec, population)
        problems += checks.unused_problems(document, spec, queries, templates.values())
    if problems or query is None:
        raise ConfigError(problems)
    return LoadedRule(
        rule=_rule(document, spec, values, override),
        spec=spec,
        query=query,
        population=population,
        unjudged=unjudged,
        message=templates["finding"],
        process_messages=tuple(templates[f"process.{index}"] for index in range(len(spec.process))),
        unjudged_message=templates.get("unjudged"),
        shipped=shipped,
    )


def _param_values(
    document: strict_yaml.Document, spec: RuleSpec, override: Override | None
) -> tuple[list[str], dict[str, Any]]:
    """Return the faults of the parameters, and the value of each that is not derived."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, param in spec.params.items():
        at = document.at(("params", name))
        if name in params.BUILT_IN:
            problems.append(f"{at}: `{name}` is built in; choose another name")
        elif param.derive is not None:
            problem = params.derivation_problem(name, param, spec.params)
            problems += [f"{at}: {problem}"] if problem else []
        else:
            try:
                values[name] = params.check(param, param.default)
                if override and name in override.params:
                    values[name] = override.params[name]
            except ValueError as error:
                problems.append(f"{at}: the default of `{name}`: {error}")
    return problems, values


def _plain(value: Any) -> Any:
    return {"en": value.en, "tr": value.tr} if isinstance(value, Text) else value


def _rule(document: strict_yaml.Document, spec: RuleSpec, values: Mapping[str, Any], override: Override | None) -> Rule:
    given = {item.name: getattr(spec.lifecycle, item.name, None) for item in fields(Lifecycle)}
    steps = tuple(EscalationStep(step.after, step.to) for step in spec.lifecycle.escalate or ())
    given |= {"escalate": steps, "yields_to": tuple(spec.lifecycle.yields_to or ())}
    limits = {name: value for name, value in spec.limits.model_dump().items() if value is not None}
    change = override or Override()
    return Rule(
        id=spec.id,
        version=spec.version,
        title=spec.title,
        why=spec.why,
        fix=spec.fix,
        message=spec.finding.message,
        category=spec.category,
        severity=change.severity or spec.severity,
        owner_team=change.owner_team or spec.owner_team,
        mode=change.mode or spec.mode,
        sobject=spec.finding.object,
        sql=full_sql(spec, "sql") or "",
        population_sql=full_sql(spec, "population_sql"),
        params=dict(values),
        params_digest=params.digest(values),
        key=tuple(spec.finding.key),
        lifecycle=Lifecycle(**{name: value for name, value in given.items() if value is not None}),
        limits=RuleLimits(**limits),
        actions=tuple(
            RuleAction(kind, {name: _plain(getattr(options, name)) for name in sorted(options.model_fields_set)})
            for action in spec.actions
            for kind, options in (("task", action.task), ("chatter", action.chatter))
            if options is not None
        ),
        runbook=spec.runbook,
        words=spec.finding.words,
        process_fixes={process.field: process.fix for process in spec.process},
        path=document.name,
    )
