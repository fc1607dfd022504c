"""Where a field path leads: the column, the joins on the way, the refusals when it leads nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.schema import Field, Schema, SObject
from leakwatch.sandbox.org.soql import ast

Locate = Callable[[int, str, str], OrgError]

NAME_FIELDS = {
    one.name: one
    for one in (
        Field("Id", "id", "FSGA", length=18),
        Field("Name", "string", "nFSGA", length=121),
        Field("Type", "picklist", "FSGA", length=40),
        Field("FirstName", "string", "nFSGA", length=40),
        Field("LastName", "string", "nFSGA", length=80),
        Field("Title", "string", "nFSGA", length=128),
        Field("Email", "email", "nFSGA", length=128),
        Field("Phone", "phone", "nFSGA", length=40),
        Field("Alias", "string", "nFSGA", length=8),
        Field("Username", "string", "nFSGA", length=80),
        Field("IsActive", "boolean", "FSG"),
        Field("ProfileId", "reference", "nFSGA", length=18, refers_to=("Profile",)),
        Field("UserRoleId", "reference", "nFSGA", length=18, refers_to=("UserRole",)),
        Field("RecordTypeId", "reference", "nF", length=18, refers_to=("RecordType",)),
    )
}
"""What can be read through a relationship that may lead to several objects: the fields of `Name`."""
_NAME_LOWER = {name.lower(): one for name, one in NAME_FIELDS.items()}
_CUSTOM_HINT = (
    " If you are attempting to use a custom {what}, be sure to append the '__{mark}' after the {name} name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)


def unknown_field(name: str, entity: str) -> str:
    """Salesforce's words for a field that is not there."""
    hint = _CUSTOM_HINT.format(what="field", mark="c", name="custom field")
    return f"No such column '{name}' on entity '{entity}'.{hint}"


def unknown_object(name: str) -> str:
    """Salesforce's words for an object that is not there."""
    hint = _CUSTOM_HINT.format(what="object", mark="c", name="entity")
    return f"sObject type '{name}' is not supported.{hint}"


def unknown_relationship(name: str, *, child: bool = False) -> str:
    """Salesforce's words for a relationship that is not there."""
    where = "FROM part of query call" if child else "field path"
    hint = _CUSTOM_HINT.format(what="relationship", mark="r", name="custom relationship")
    return f"Didn't understand relationship '{name}' in {where}.{hint}"


@dataclass(slots=True)
class Node:
    """A table or, through a polymorphic relationship, several that stand for the object `Name`."""

    targets: list[tuple[str, SObject]]
    ref: exp.Expr | None = None
    """The column that holds the parent's id; None for the table of the FROM clause."""

    @property
    def entity(self) -> str:
        """The object's name, as errors and `attributes` give it."""
        return self.targets[0][1].name if len(self.targets) == 1 else "Name"


@dataclass(slots=True)
class Place:
    """Where a path ends."""

    field: Field
    column: exp.Expr
    nodes: list[Node]
    names: tuple[str, ...]
    """The path in the schema's own spelling."""


@dataclass(slots=True)
class Scope:
    """The tables of one SELECT, growing as paths are resolved."""

    schema: Schema
    sobject: SObject
    locate: Locate
    prefix: str
    alias: str | None = None
    joins: list[exp.Join] = field(default_factory=list[exp.Join])
    _nodes: dict[tuple[str, ...], Node] = field(default_factory=dict[tuple[str, ...], Node])

    @property
    def table(self) -> str:
        """The SQL alias of the FROM table."""
        return f"{self.prefix}0"

    def base(self, name: str) -> exp.Column:
        """A column of the FROM table."""
        return column(self.table, name)

    def resolve(self, path: ast.Path) -> Place:
        """Follow a path to its column."""
        parts = list(path.parts)
        mine = {self.sobject.name.lower()} | ({self.alias.lower()} if self.alias else set())
        if len(parts) > 1 and parts[0].lower() in mine:
            parts = parts[1:]
        if len(parts) > 6:
            said = "Maximum of 5 levels of child-to-parent relationships exceeded"
            raise self.locate(path.at, "MALFORMED_QUERY", said)
        node = Node([(self.table, self.sobject)])
        nodes, names = [node], list[str]()
        for part in parts[:-1]:
            names.append(part)
            node = self._step(node, tuple(names), path)
            nodes.append(node)
        one, sql = self._leaf(node, parts[-1], path)
        spelled = [self._spelling(nodes[i], part) for i, part in enumerate(names)]
        return Place(one, sql, nodes, (*spelled, one.name))

    def _spelling(self, node: Node, part: str) -> str:
        return node.targets[0][1].by_relationship[part.lower()].relationship or part

    def _step(self, node: Node, names: tuple[str, ...], path: ast.Path) -> Node:
        key = tuple(name.lower() for name in names)
        if key in self._nodes:
            return self._nodes[key]
        link = None if len(node.targets) > 1 else node.targets[0][1].by_relationship.get(key[-1])
        targets = [self.schema.objects[name] for name in link.refers_to if name in self.schema.objects] if link else []
        if link is None or not targets:
            raise self.locate(path.at, "INVALID_FIELD", unknown_relationship(names[-1]))
        ref = column(node.targets[0][0], link.name)
        joined: list[tuple[str, SObject]] = []
        for target in targets:
            alias = f"{self.prefix}{len(self.joins) + 1}"
            on = exp.EQ(this=column(alias, "Id"), expression=ref.copy())
            self.joins.append(exp.Join(this=table(target.name, alias), on=on, side="LEFT"))
            joined.append((alias, target))
        self._nodes[key] = Node(joined, ref)
        return self._nodes[key]

    def _leaf(self, node: Node, name: str, path: ast.Path) -> tuple[Field, exp.Expr]:
        if len(node.targets) == 1:
            alias, sobject = node.targets[0]
            one = sobject.find(name)
            if one is None:
                raise self.locate(path.at, "INVALID_FIELD", unknown_field(name, sobject.name))
            return one, column(alias, one.name)
        one = _NAME_LOWER.get(name.lower())
        if one is None:
            raise self.locate(path.at, "INVALID_FIELD", unknown_field(name, "Name"))
        if one.name == "Type":
            return one, _type_of(node)
        columns = [
            column(alias, one.name)
            for alias, sobject in node.targets
            if one.name in sobject.fields and sobject.fields[one.name].stored
        ]
        if not columns:
            return one, exp.Null()
        return one, columns[0] if len(columns) == 1 else exp.Coalesce(this=columns[0], expressions=columns[1:])


def _type_of(node: Node) -> exp.Expr:
    if node.ref is None:
        return exp.Null()
    case = exp.Case()
    for _, sobject in node.targets:
        start = exp.Anonymous(this="substr", expressions=[node.ref.copy(), number(1), number(3)])
        case = case.when(exp.EQ(this=start, expression=text(sobject.prefix)), text(sobject.name))
    return case


def column(alias: str, name: str) -> exp.Column:
    """A quoted column of a table alias."""
    return exp.column(exp.to_identifier(name, quoted=True), table=alias)


def table(name: str, alias: str) -> exp.Expr:
    """A quoted table under an alias."""
    return exp.alias_(exp.Table(this=exp.to_identifier(name, quoted=True)), alias, table=True)


def text(value: str) -> exp.Literal:
    """A text of our own (never the user's: those are bound)."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """A number of our own."""
    return exp.Literal.number(value)
