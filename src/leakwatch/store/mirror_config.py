"""Reads `config/mirror.yaml`: which objects and fields are copied, and what a company's own fields and labels mean."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from leakwatch.core import strict_yaml
from leakwatch.core.names import label_key
from leakwatch.core.tables import (
    DERIVED,
    MEANINGS,
    FieldSpec,
    FieldType,
    MirrorConfig,
    ObjectSpec,
    OpportunityRoles,
    epoch_column,
    local_date_column,
    snake,
)
from leakwatch.errors import ConfigError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Object(_Strict):
    fields: dict[str, FieldType]
    optional_fields: dict[str, FieldType] = Field(default_factory=dict)
    stamp: str | None = None
    optional: bool = False
    keys: list[str] = Field(default_factory=list)
    emails: list[str] = Field(default_factory=list)
    find_emails: bool = False
    domains: list[str] = Field(default_factory=list)


class _Meanings(_Strict):
    open: list[str] = Field(default_factory=list)
    won: list[str] = Field(default_factory=list)
    lost: list[str] = Field(default_factory=list)
    suspended: list[str] = Field(default_factory=list)
    abandoned: list[str] = Field(default_factory=list)

    def by_meaning(self) -> dict[str, tuple[str, ...]]:
        return {meaning: tuple(getattr(self, meaning)) for meaning in MEANINGS if getattr(self, meaning)}


class _Opportunity(_Strict):
    reason_fields: list[str] = Field(default_factory=list)
    budget_fields: list[str] = Field(default_factory=list)
    stage_meanings: _Meanings = Field(default_factory=_Meanings)
    stage_meanings_without_flags: _Meanings = Field(default_factory=_Meanings)


class _Statuses(_Strict):
    closed_statuses: list[str] = Field(default_factory=list)


class _File(_Strict):
    objects: dict[str, _Object]
    opportunity: _Opportunity = Field(default_factory=_Opportunity)
    lead: _Statuses = Field(default_factory=_Statuses)
    task: _Statuses = Field(default_factory=_Statuses)
    last_touch: list[str] = Field(default_factory=lambda: ["Lead"])
    keep_snapshots: int = Field(default=3, ge=1, le=100)


def load_mirror_config(path: Path) -> MirrorConfig:
    """Return the mirror configuration in the file at `path`.

    Raises:
        ConfigError: with every fault of the file: unknown keys and types, roles that name no listed field, two fields
            that would share a column, a label with two meanings.
    """
    document = strict_yaml.read(path)
    file = strict_yaml.validate(_File, document)
    objects = tuple(_object(name, spec) for name, spec in file.objects.items())
    problems = _problems(file, objects, document)
    if problems:
        raise ConfigError(problems)
    return MirrorConfig(
        objects=objects,
        opportunity=OpportunityRoles(
            reason_fields=tuple(file.opportunity.reason_fields),
            budget_fields=tuple(file.opportunity.budget_fields),
            stage_meanings=file.opportunity.stage_meanings.by_meaning(),
            stage_meanings_without_flags=file.opportunity.stage_meanings_without_flags.by_meaning(),
        ),
        closed_lead_statuses=tuple(file.lead.closed_statuses),
        closed_task_statuses=tuple(file.task.closed_statuses),
        last_touch_objects=tuple(file.last_touch),
        keep_snapshots=file.keep_snapshots,
    )


def _object(name: str, spec: _Object) -> ObjectSpec:
    needed = [FieldSpec(field, kind) for field, kind in spec.fields.items()]
    optional = [FieldSpec(field, kind, optional=True) for field, kind in spec.optional_fields.items()]
    return ObjectSpec(
        name,
        (*needed, *optional),
        spec.stamp,
        spec.optional,
        keys=tuple(spec.keys),
        emails=tuple(spec.emails),
        find_emails=spec.find_emails,
        domains=tuple(spec.domains),
    )


def _problems(file: _File, objects: tuple[ObjectSpec, ...], document: strict_yaml.Document) -> list[str]:
    problems: list[str] = []
    for spec in objects:
        at = document.at(("objects", spec.name))
        names = [field.name for field in spec.fields]
        if "Id" not in names:
            problems.append(f"{at}: {spec.name} needs the field `Id`")
        problems += [
            f"{at}: {spec.name} names `{name}`, which is not among its fields{strict_yaml.nearest(name, names)}"
            for name in (*([spec.stamp] if spec.stamp else []), *spec.keys, *spec.emails, *spec.domains)
            if name not in names
        ]
        problems += _column_clashes(spec, at)
    problems += _role_problems(file, objects, document)
    problems += _label_problems(file.opportunity.stage_meanings, document, ("opportunity", "stage_meanings"))
    problems += _label_problems(
        file.opportunity.stage_meanings_without_flags, document, ("opportunity", "stage_meanings_without_flags")
    )
    return problems


def _column_clashes(spec: ObjectSpec, at: str) -> list[str]:
    taken: dict[str, str] = dict.fromkeys(DERIVED.get(spec.name, {}), "a derived column")
    problems: list[str] = []
    for field in spec.fields:
        columns = [field.column]
        if field.type is FieldType.DATETIME:
            columns += [epoch_column(field.column), local_date_column(field.column)]
        columns += [f"{snake(field.name)}_key"] if field.name in spec.keys else []
        for column in columns:
            if column in taken:
                problems.append(f"{at}: {spec.name}.{field.name} and {taken[column]} would share the column `{column}`")
            taken[column] = f"{spec.name}.{field.name}"
    return problems


def _role_problems(file: _File, objects: tuple[ObjectSpec, ...], document: strict_yaml.Document) -> list[str]:
    by_name = {spec.name: spec for spec in objects}
    problems: list[str] = []
    opportunity = by_name.get("Opportunity")
    known = [field.name for field in opportunity.fields] if opportunity else []
    for role in ("reason_fields", "budget_fields"):
        for index, name in enumerate(getattr(file.opportunity, role)):
            at = document.at(("opportunity", role, index))
            field = opportunity.field(name) if opportunity else None
            if field is None:
                problems.append(
                    f"{at}: `{name}` is not among the fields of Opportunity{strict_yaml.nearest(name, known)}; list it"
                    " under `optional_fields` there"
                )
            elif role == "budget_fields" and field.type not in (FieldType.MONEY, FieldType.NUMBER, FieldType.INTEGER):
                problems.append(f"{at}: `{name}` is {field.type.value}; a budget must be money or a number")
    for index, name in enumerate(file.last_touch):
        if name not in by_name:
            at = document.at(("last_touch", index))
            problems.append(f"{at}: no object `{name}` is listed{strict_yaml.nearest(name, list(by_name))}")
    return problems


def _label_problems(meanings: _Meanings, document: strict_yaml.Document, position: tuple[str, str]) -> list[str]:
    seen: dict[str, str] = {}
    problems: list[str] = []
    for meaning, labels in meanings.by_meaning().items():
        for label in labels:
            key = label_key(label)
            if seen.setdefault(key, meaning) != meaning:
                at = document.at((*position, meaning))
                problems.append(f"{at}: the stage `{label}` can't mean both {seen[key]} and {meaning}")
    return problems
