"""TYPEOF: fields that depend on the object a polymorphic reference leads to (SOQL reference, "TYPEOF").

The words of the refusals here are unverified, and so is that a record of an object without a WHEN, and without an
ELSE, is shown as null.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlglot import exp

from leakwatch.sandbox.org.soql import ast, scope
from leakwatch.sandbox.org.soql.parse import located
from leakwatch.sandbox.org.soql.plan import Choice, Column, Shape

if TYPE_CHECKING:
    from leakwatch.sandbox.org.soql.compile import Compiler

SINCE = 46
"""The first version of the API that has it (SOQL reference, "TYPEOF")."""


def add(of: Compiler, item: ast.TypeOf, shape: Shape, outputs: list[exp.Expr]) -> tuple[str, ...]:
    """Add what one TYPEOF selects; return the path of its reference."""
    above, node, names = of.scope.reference(item.path)
    if node.alias or node.ref is None:
        said = f"TYPEOF needs a relationship that may lead to several objects: {item.path.text}"
        raise of.locate(item.path.at, "MALFORMED_QUERY", said)
    for i, step in enumerate(above[1:], 1):
        if names[:i] not in shape.parents and step.ref is not None:
            shape.parents[names[:i]] = (len(outputs), step.entity)
            outputs.append(step.ref.copy())
    choice = Choice({}, None)
    shape.columns.append(Column(names, scope.NAME_FIELDS["Id"], len(outputs), choice))
    outputs.append(node.ref.copy())
    for when in item.whens:
        made = Shape()
        start: list[scope.Node] = []
        if when.sobject is None:
            choice.otherwise = made
        else:
            sobject = of.schema.find(when.sobject.text)
            if sobject is None or sobject not in node.targets:
                said = f"{when.sobject.text} is no object that {item.path.text} leads to"
                raise of.locate(when.sobject.at, "INVALID_TYPE", said)
            if sobject.name in choice.branches:
                raise of.locate(when.sobject.at, "MALFORMED_QUERY", f"duplicate WHEN: {sobject.name}")
            choice.branches[sobject.name] = made
            start = [*above, of.scope.typed(node, names, sobject, when.sobject)]
        for path in when.fields:
            if start:
                place = of.scope.resolve_from(start, names, path)
            else:
                place = of.scope.resolve(ast.Path((*item.path.parts, *path.parts), path.at))
            inner = place.names[len(names) :]
            if any(inner == one.names for one in made.columns):
                raise of.locate(path.at, "INVALID_FIELD", f"duplicate field selected: {inner[-1]}")
            of.put(made, outputs, inner, of.operands.of_place(place), place.nodes[len(above) :])
    return names


def check_once(of: Compiler, chosen: list[tuple[str, ...]], fields: Iterable[tuple[str, ...]]) -> None:
    """Refuse a reference of TYPEOF that is selected in another way too."""
    for i, names in enumerate(chosen):
        others = [*chosen[:i], *(one[: len(names)] for one in fields)]
        if names in others:
            said = f"duplicate field selected: {'.'.join(names)}"
            raise of.locate(of.query.source.at, "INVALID_FIELD", said)


def refuse(query: ast.Query) -> None:
    """Refuse TYPEOF where the API's version does not know it."""
    for item in query.items:
        if isinstance(item, ast.TypeOf):
            raise located(query.text, item.at, "MALFORMED_QUERY", "unexpected token: 'TYPEOF'")
    for one in query.subqueries:
        refuse(one)
