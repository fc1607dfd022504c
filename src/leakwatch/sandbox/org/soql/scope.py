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
        Field("ProfileId", "reference", "nFSGA", length=18, refers_to=("Profile",), relationship="Profile"),
        Field("UserRoleId", "reference", "nFSGA", length=18, refers_to=("UserRole",), relationship="UserRole"),
        Field("RecordTypeId", "reference", "nF", length=18, refers_to=("RecordType",), relationship="RecordType"),
    )
}
"""What can be read through a relationship that may lead to several objects: the fields of `Name`."""
_NAME_LOWER = {name.lower(): one for name, one in NAME_FIELDS.items()}
_NAME_LINKS = {one.relationship.lower(): one for one in NAME_FIELDS.values() if one.relationship}
MAX_LEVELS = 5
MAX_PARENTS = 55
"""Levels up, and relationships in all (SOQL reference, "Understanding Relationship Query Limitations")."""
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
    """The row that a relationship leads to: of one object, or of any of several, which stand for `Name`.

    Several are never joined, since SQLite joins at most 64 tables and an activity may be related to more objects
    than that: what is asked of them is looked up by the id.
    """

    targets: list[SObject]
    alias: str
    """The SQL alias of the joined table; empty for a reference to one of several objects."""
    ref: exp.Expr | None = None
    """The column that holds the parent's id; None for the table of the FROM clause."""

    @property
    def entity(self) -> str:
        """The object's name, as errors and `attributes` give it."""
        return self.targets[0].name if self.alias else "Name"

    def link(self, relationship: str) -> Field | None:
        """The reference field that a relationship's name (in small letters) stands for."""
        if not self.alias:
            return _NAME_LINKS.get(relationship)
        found = self.targets[0].by_relationship.get(relationship)
        return None if found is None or found.name in self.targets[0].hidden else found

    def column(self, one: Field) -> exp.Expr:
        """A field of the row."""
        if self.alias:
            return column(self.alias, one.name)
        return _type_of(self) if one.name == "Type" else _looked_up(self, one)


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
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Names given to parents in FROM, in small letters, and the relationships they stand for."""
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
        *names, last = self._full(path)
        nodes = self._follow(names, path)
        return self._place(nodes, names, last, path)

    def name_parent(self, path: ast.Path, alias: str | None) -> None:
        """Take up `FROM Contact c, c.Account a`."""
        names = self._full(path)
        self._follow(names, path)
        if alias:
            self.aliases[alias.lower()] = tuple(names)

    def reference(self, path: ast.Path) -> tuple[list[Node], Node, tuple[str, ...]]:
        """The relationship a path ends with: the rows on the way, the row it leads to, and its names."""
        names = self._full(path)
        nodes = self._follow(names, path)
        return nodes[:-1], nodes[-1], self._spelled(nodes, names)

    def typed(self, node: Node, names: tuple[str, ...], sobject: SObject, path: ast.Path) -> Node:
        """The row that a reference leads to, if it is one of this object."""
        key = (*(name.lower() for name in names), f"#{sobject.name}")
        if key not in self._nodes and node.ref is not None:
            self._nodes[key] = self._join(sobject, node.ref, path)
        return self._nodes[key]

    def resolve_from(self, nodes: list[Node], names: tuple[str, ...], path: ast.Path) -> Place:
        """Follow a path that begins at a row already found (the last of `nodes`), as in TYPEOF."""
        *more, last = path.parts
        sobject = nodes[-1].targets[0].name
        inner = self._follow([*more], path, nodes[-1], (*(name.lower() for name in names), f"#{sobject}"))
        place = self._place(inner, more, last, path)
        return Place(place.field, place.column, [*nodes[:-1], *inner], (*names, *place.names))

    def _full(self, path: ast.Path) -> list[str]:
        """The parts of a path behind the object's own name or its alias, aliases of parents written out."""
        parts = list(path.parts)
        mine = {self.sobject.name.lower()} | ({self.alias.lower()} if self.alias else set())
        first = parts[0].lower()
        if len(parts) > 1 and first in self.aliases:
            parts = [*self.aliases[first], *parts[1:]]
        elif len(parts) > 1 and first in mine:
            parts = parts[1:]
        if len(parts) > MAX_LEVELS + 1:
            said = f"Maximum of {MAX_LEVELS} levels of child-to-parent relationships exceeded"
            raise self.locate(path.at, "MALFORMED_QUERY", said)
        return parts

    def _follow(
        self, names: list[str], path: ast.Path, start: Node | None = None, above: tuple[str, ...] = ()
    ) -> list[Node]:
        """The rows that a chain of relationships leads through, the first one included."""
        nodes = [start or Node([self.sobject], self.table)]
        for i, name in enumerate(names):
            key = (*above, *(part.lower() for part in names[: i + 1]))
            if key not in self._nodes:
                self._nodes[key] = self._step(nodes[-1], name, path)
            nodes.append(self._nodes[key])
        return nodes

    def _step(self, node: Node, name: str, path: ast.Path) -> Node:
        link = node.link(name.lower())
        targets = [self.schema.objects[one] for one in link.refers_to if one in self.schema.objects] if link else []
        if link is None or not targets:
            raise self.locate(path.at, "INVALID_FIELD", unknown_relationship(name))
        ref = node.column(link)
        return self._join(targets[0], ref, path) if len(targets) == 1 else self._counted(Node(targets, "", ref), path)

    def _join(self, target: SObject, ref: exp.Expr, path: ast.Path) -> Node:
        alias = f"{self.prefix}{len(self.joins) + 1}"
        on = exp.EQ(this=column(alias, "Id"), expression=ref.copy())
        self.joins.append(exp.Join(this=table(target.name, alias), on=on, side="LEFT"))
        return self._counted(Node([target], alias, ref), path)

    def _counted(self, node: Node, path: ast.Path) -> Node:
        if len(self._nodes) >= MAX_PARENTS:  # the words are unverified
            said = f"Maximum of {MAX_PARENTS} child-to-parent relationships exceeded"
            raise self.locate(path.at, "MALFORMED_QUERY", said)
        return node

    def _place(self, nodes: list[Node], names: list[str], last: str, path: ast.Path) -> Place:
        node = nodes[-1]
        one = node.targets[0].visible(last) if node.alias else _NAME_LOWER.get(last.lower())
        if one is None:
            raise self.locate(path.at, "INVALID_FIELD", unknown_field(last, node.entity))
        return Place(one, node.column(one), nodes, (*self._spelled(nodes, names), one.name))

    def _spelled(self, nodes: list[Node], names: list[str]) -> tuple[str, ...]:
        links = (node.link(name.lower()) for node, name in zip(nodes, names, strict=False))
        return tuple((link.relationship if link else None) or name for link, name in zip(links, names, strict=True))


def _type_of(node: Node) -> exp.Expr:
    return _by_object(node, [(one.prefix, f"'{one.name}'") for one in node.targets])


def _looked_up(node: Node, one: Field) -> exp.Expr:
    """A field of a row of one of several objects, found by the row's id."""
    if node.ref is None or one.name == "Id":
        return node.ref.copy() if node.ref else exp.Null()
    ref = node.ref.sql(dialect="sqlite")
    having = ((target, _own(target, one.name)) for target in node.targets)
    return _by_object(
        node,
        [(of.prefix, f'(SELECT n."{own}" FROM "{of.name}" AS n WHERE n."Id" = {ref})') for of, own in having if own],
    )


def _own(target: SObject, name: str) -> str | None:
    """The column that an object keeps a field of `Name` in, None for none; a case is named by its number."""
    own = target.name_field if name == "Name" else name
    return own if own in target.fields and target.fields[own].stored else None


def _by_object(node: Node, choices: list[tuple[str, str]]) -> exp.Expr:
    """A choice by the object that a reference leads to, which the id's beginning tells.

    It is written as text: a tree for each of the many objects an activity may be related to takes ten times as
    long, and everything in it is a name out of the schema.
    """
    if node.ref is None or not choices:
        return exp.Null()
    branches = " ".join(f"WHEN '{prefix}' THEN {value}" for prefix, value in choices)
    return exp.Var(this=f"CASE SUBSTR({node.ref.sql(dialect='sqlite')}, 1, 3) {branches} END")


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


def by_ids(sql: str, name: str, alias: str) -> str:
    """A SELECT from a table under an alias, as text, made to read the rows in the order of their ids.

    The index is the one that SQLite makes of a primary key.
    """
    read = table(name, alias).sql(dialect="sqlite")
    return sql.replace(f"FROM {read}", f'FROM {read} INDEXED BY "sqlite_autoindex_{name}_1"', 1)
