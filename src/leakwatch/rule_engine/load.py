"""Loads rule files: format, parameters, SQL and texts are checked before anything runs, all faults told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from leakwatch.core import strict_yaml
from leakwatch.core.tables import Catalog
from leakwatch.errors import ConfigError
from leakwatch.model import EscalationStep, Lifecycle, Rule, RuleAction, RuleLimits, Text
from leakwatch.rule_engine import messages, params
from leakwatch.rule_engine.lint import Query, lint
from leakwatch.rule_engine.overrides import Override, load_overrides
from leakwatch.rule_engine.spec import RuleSpec

SHIPPED_FOLDER = Path(__file__).parent.parent / "rules"
USER_PREFIX = "custom_"  # ids of a customer's own rules: they can never take the place of a shipped one

_ANY_DAY = date(2000, 1, 1)  # a stand-in for as_of_date while checking
_PROCESS_NAMES = ("count", "population", "share", "impact")


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule that passed every check, with what the engine needs to run it."""

    rule: Rule
    spec: RuleSpec
    query: Query
    population: Query | None
    message: tuple[messages.Template, messages.Template]  # English, Turkish
    process_message: tuple[messages.Template, messages.Template] | None
    shipped: bool

    @property
    def param_help(self) -> dict[str, Text]:
        """What each setting means, where the rule says so."""
        return {name: param.help for name, param in self.spec.params.items() if param.help is not None}

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
    query, problems = _query(document, spec, "sql", catalog, samples)
    population, more = _query(document, spec, "population_sql", catalog, samples)
    problems += more
    templates, more = _templates(document, spec, query, samples)
    problems += more
    if query is not None:
        problems += _column_problems(document, spec, query)
        problems += _table_problems(document, spec, query, population, catalog)
        problems += _unused_problems(document, spec, query, population, templates)
    if problems or query is None:
        raise ConfigError(problems)
    return LoadedRule(
        rule=_rule(document, spec, values, override),
        spec=spec,
        query=query,
        population=population,
        message=templates[0],
        process_message=templates[1] if len(templates) > 1 else None,
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


def _query(
    document: strict_yaml.Document, spec: RuleSpec, key: str, catalog: Catalog, samples: Mapping[str, Any]
) -> tuple[Query | None, list[str]]:
    sql = full_sql(spec, key)
    if sql is None:
        return None, []
    query, problems = lint(sql, catalog=catalog, samples=samples)
    shared = len(spec.with_sql.splitlines()) if spec.with_sql else 0
    sentences: list[str] = []
    for problem in problems:
        in_shared = problem.line <= shared
        start = document.line(("with_sql" if in_shared else key,))
        line = start + (problem.line if in_shared else problem.line - shared)
        sentences.append(f"{document.name}, line {line}: {key}: {problem.text}")
    return query, sentences


def full_sql(spec: RuleSpec, key: str) -> str | None:
    """Return the rule's `sql` or `population_sql` with the shared WITH clause before it, or None if there is none."""
    text: str | None = getattr(spec, key)
    return f"{spec.with_sql}\n{text}" if text and spec.with_sql else text


def _templates(
    document: strict_yaml.Document, spec: RuleSpec, query: Query | None, samples: Mapping[str, Any]
) -> tuple[list[tuple[messages.Template, messages.Template]], list[str]]:
    known = {*(query.returns if query else ()), *samples}
    wanted = [(("finding", "message"), spec.finding.message, known)]
    if spec.process is not None:
        wanted.append((("process", "message"), spec.process.message, {*samples, *_PROCESS_NAMES}))
    pairs: list[tuple[messages.Template, messages.Template]] = []
    problems: list[str] = []
    for position, text, names in wanted:
        at = document.at(position)
        try:
            pair = (messages.parse(text.en, turkish=False), messages.parse(text.tr, turkish=True))
        except ValueError as error:
            problems.append(f"{at}: {error}")
            continue
        pairs.append(pair)
        if query is not None:
            problems += [
                f"{at}: the message uses {{{name}}}, which the rule does not return"
                f"{strict_yaml.nearest(name, sorted(names))}"
                for name in messages.unknown_names(pair, names)
            ]
    return pairs, problems


def _column_problems(document: strict_yaml.Document, spec: RuleSpec, query: Query) -> list[str]:
    finding = spec.finding
    wanted: list[tuple[strict_yaml.Position, str]] = [(("sql",), "record_id"), (("finding", "owner"), finding.owner)]
    wanted += [(("finding", "key", index), name) for index, name in enumerate(finding.key)]
    wanted += [(("finding", "show", index), name) for index, name in enumerate(finding.show)]
    for role in ("manager", "name", "account", "currency"):
        name: str | None = getattr(finding, role)
        wanted += [(("finding", role), name)] if name else []
    wanted += [(("finding", "words", name), name) for name in finding.words]
    wanted += [(("finding", "impact", "column"), finding.impact.column)] if finding.impact else []
    for index, item in enumerate(finding.severity_when):
        wanted += [(("finding", "severity_when", index), name) for name in item.conditions]
    returns = list(query.returns)
    return [
        f"{document.at(position)}: the SELECT returns no column `{name}`{strict_yaml.nearest(name, returns)}"
        for position, name in wanted
        if name not in returns
    ]


def _table_problems(
    document: strict_yaml.Document, spec: RuleSpec, query: Query, population: Query | None, catalog: Catalog
) -> list[str]:
    read = {*query.reads, *(population.reads if population else ())}
    problems = [
        f"{document.at(('needs',))}: the table {table} is read but stands neither under `needs` nor under `optional`"
        for table in sorted(read - spec.needs.keys() - spec.optional.keys())
    ]
    for key, tables in (("needs", spec.needs), ("optional", spec.optional)):
        problems += [
            f"{document.at((key, table))}: the table {table} is not read by the SQL"
            f"{strict_yaml.nearest(table, sorted(read))}"
            for table in tables
            if table not in read
        ]
    for table, optional in spec.optional.items():
        at = document.at(("optional", table))
        known = list(catalog.get(table, {}))
        problems += [
            f"{at}: {table} has no column `{column}`{strict_yaml.nearest(column, known)}"
            for column in optional.columns or ()
            if column not in known
        ]
        if optional.columns is None and table in spec.needs:
            problems.append(f"{at}: {table} is needed, so name the `columns` of it that may be missing")
    return problems


def _unused_problems(
    document: strict_yaml.Document,
    spec: RuleSpec,
    query: Query,
    population: Query | None,
    templates: Sequence[tuple[messages.Template, messages.Template]],
) -> list[str]:
    used = {*query.params, *(population.params if population else ())}
    used |= {part for param in spec.params.values() for part in param.derive or () if isinstance(part, str)}
    used |= {name for pair in templates for template in pair for name in template.names()}
    return [
        f"{document.at(('params', name))}: the parameter `{name}` is used nowhere"
        for name in spec.params
        if name not in used
    ]


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
        path=document.name,
    )
