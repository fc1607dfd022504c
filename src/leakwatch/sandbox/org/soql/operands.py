"""Fields and functions as typed SQL: what SELECT, WHERE, GROUP BY, HAVING and ORDER BY are made of.

Which functions there are, and over which fields: SOQL reference, "SOQL SELECT Functions". Functions of places
(DISTANCE, GEOLOCATION) are not emulated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from sqlglot import exp

from leakwatch.sandbox.org.errors import OrgError, not_emulated
from leakwatch.sandbox.org.indexes import folded
from leakwatch.sandbox.org.schema import NUMBER_TYPES, Field
from leakwatch.sandbox.org.soql import ast, scope
from leakwatch.sandbox.org.soql.dates import Calendar
from leakwatch.sandbox.org.soql.functions import DATE_PARTS, INSTANTS_ONLY
from leakwatch.sandbox.org.soql.money import Money, exact
from leakwatch.sandbox.org.soql.plan import Bound
from leakwatch.sandbox.org.soql.tables import AGGREGATES

_PICKLISTS = ("picklist", "multipicklist", "combobox")
_COUNTED = Field("count", "int", "FS")
_SUMMED = Field("sum", "double", "FS")
_GROUPING = Field("grouping", "int", "FS")
Kind = Literal["field", "date", "aggregate", "grouping", "label", "format", "money"]


@dataclass(slots=True)
class Operand:
    """A field or a function over one."""

    field: Field
    """Type and flags that comparing, sorting and answering follow."""
    sql: exp.Expr
    kind: Kind
    place: scope.Place | None = None
    """The field underneath; None under an aggregate."""


@dataclass(slots=True)
class Operands:
    """Turns the parts of one SELECT into operands."""

    scope: scope.Scope
    locate: scope.Locate
    bound: Bound
    calendar: Calendar
    money: Money
    missing_keys: frozenset[str] | None = None
    """SQL of the grouped fields that are subtotalled in what is being built; None without ROLLUP or CUBE."""

    def build(self, what: ast.Path | ast.Func) -> Operand:
        """The operand that a path or a function is."""
        if isinstance(what, ast.Path):
            return self._known(self.of_place(self.scope.resolve(what)))
        builders: dict[str, Callable[[ast.Func], Operand]] = {
            **dict.fromkeys(AGGREGATES, self._aggregate),
            **dict.fromkeys(DATE_PARTS, self._date),
            "GROUPING": self._grouping,
            "TOLABEL": self._label,
            "FORMAT": self._format,
            "CONVERTCURRENCY": self._converted,
            "CONVERTTIMEZONE": self._zone_alone,
        }
        if what.name in builders:
            return self._known(builders[what.name](what))
        if what.name in ("DISTANCE", "GEOLOCATION"):
            raise not_emulated(f"the SOQL function {what.name}()")
        # that an unknown function is a matter of syntax is unverified
        raise self.locate(what.at + len(what.name), "MALFORMED_QUERY", "unexpected token: '('")

    def of_place(self, place: scope.Place) -> Operand:
        """The operand that a field is."""
        return Operand(place.field, place.column, "field", place)

    def _known(self, one: Operand) -> Operand:
        """Null in a subtotal over the field."""
        if self.missing_keys and one.sql.sql(dialect="sqlite") in self.missing_keys:
            return replace(one, sql=exp.Null())
        return one

    def _refuse(self, what: ast.Func, one: Field) -> OrgError:
        said = f"field {one.name} does not support aggregate operator {what.name}"
        return self.locate(what.at, "MALFORMED_QUERY", said)

    def _only(self, what: ast.Func) -> ast.Path:
        """The field a function is called with; the words for anything else are unverified."""
        if what.path is None:
            raise self.locate(what.at, "MALFORMED_QUERY", f"{what.name} takes one field")
        return what.path

    # -- aggregates -----------------------------------------------------------------------------------

    def _aggregate(self, what: ast.Func) -> Operand:
        if not what.args:
            if what.name != "COUNT":
                raise self.locate(what.at + len(what.name) + 1, "MALFORMED_QUERY", "unexpected token: ')'")
            return Operand(_COUNTED, exp.Count(this=exp.Star()), "aggregate")
        place = self.scope.resolve(self._only(what))
        one = place.field
        if not one.can("A") or (what.name in ("SUM", "AVG") and one.type not in NUMBER_TYPES):
            raise self._refuse(what, one)
        column = self.money.corporate(place) if one.type == "currency" else place.column
        if what.name in ("SUM", "AVG"):
            # a whole-number field's sum is a number with a fraction too (unverified)
            made = exact(exp.Sum(this=column), one) if what.name == "SUM" else exact(exp.Avg(this=column), _SUMMED)
            kind = "currency" if one.type == "currency" else "double"
            return Operand(replace(_SUMMED, type=kind, scale=one.scale), made, "aggregate")
        if what.name in ("MIN", "MAX"):
            extreme = self._extreme(what.name, place, column)
            return Operand(one, extreme if column is place.column else exact(extreme, one), "aggregate")
        counted = exp.Anonymous(this="sf_fold", expressions=[column]) if folded(one) else column
        distinct = exp.Distinct(expressions=[counted]) if what.name == "COUNT_DISTINCT" else column
        return Operand(_COUNTED, exp.Count(this=distinct), "aggregate")

    def _extreme(self, name: str, place: scope.Place, column: exp.Expr) -> exp.Expr:
        """MIN or MAX; of a picklist by the order of its values (SOQL reference, "Aggregate Functions")."""
        function = exp.Min if name == "MIN" else exp.Max
        position = self._position(place)
        if position is None:
            return function(this=column)
        ranked = exp.Anonymous(this="printf", expressions=[scope.text("%06d%s"), position, column.copy()])
        known = exp.Case().when(exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null())), ranked)
        return exp.Anonymous(this="substr", expressions=[function(this=known), scope.number(7)])

    def _grouping(self, what: ast.Func) -> Operand:
        key = self.build_key(self._only(what))
        if self.missing_keys is None:  # the words are unverified
            said = "GROUPING is only allowed with GROUP BY ROLLUP or GROUP BY CUBE"
            raise self.locate(what.at, "MALFORMED_QUERY", said)
        return Operand(_GROUPING, scope.number(int(key in self.missing_keys)), "grouping")

    def build_key(self, what: ast.Path | ast.Func) -> str:
        """The SQL that a grouped field is known by, subtotalled or not."""
        kept, self.missing_keys = self.missing_keys, None
        try:
            return self.build(what).sql.sql(dialect="sqlite")
        finally:
            self.missing_keys = kept

    # -- dates ----------------------------------------------------------------------------------------

    def _date(self, what: ast.Func) -> Operand:
        inner = what.args[0] if len(what.args) == 1 else None
        zoned = inner if isinstance(inner, ast.Func) and inner.name == "CONVERTTIMEZONE" else None
        place = self.scope.resolve(self._only(zoned or what))
        one, column = place.field, place.column
        allowed = ("datetime",) if zoned or what.name in INSTANTS_ONLY else ("date", "datetime")
        if one.type not in allowed:  # the words are unverified
            said = f"field {one.name} does not support the function {what.name}"
            raise self.locate(what.at, "INVALID_FIELD", said)
        if zoned:
            zone = self.bound.add(self.calendar.zone.key)
            column = exp.Anonymous(this="sf_local", expressions=[column, zone])
        month = scope.number(self.calendar.fiscal_month)
        part = exp.Anonymous(this="sf_part", expressions=[scope.text(what.name), column, month])
        result = "date" if what.name == "DAY_ONLY" else "int"
        return Operand(Field(one.name, result, "nFSG"), part, "date", place)

    def _zone_alone(self, what: ast.Func) -> Operand:
        said = "convertTimezone() can only be used inside a date function"  # the words are unverified
        raise self.locate(what.at, "MALFORMED_QUERY", said)

    # -- how values are shown -------------------------------------------------------------------------

    def _label(self, what: ast.Func) -> Operand:
        place = self.scope.resolve(self._only(what))
        one, owner = place.field, place.nodes[-1].entity
        if one.type not in _PICKLISTS and (owner, one.name) != ("RecordType", "Name"):  # the words are unverified
            raise self.locate(what.at, "INVALID_FIELD", f"field {one.name} does not support toLabel")
        return Operand(one, self._labelled(place), "label", place)

    def _labelled(self, place: scope.Place) -> exp.Expr:
        """The label of a picklist's value; nothing here is translated, so it is the same in every language."""
        table = place.field.values_from
        if table is not None:
            label = _value_row(table, "MasterLabel", place.column)
            return exp.Coalesce(this=label, expressions=[place.column.copy()])
        pairs = {value: label for value, label in place.field.picklist if value != label}
        if not pairs:
            return place.column
        return exp.Anonymous(this="sf_labels", expressions=[place.column, self.bound.add(json.dumps(pairs))])

    def _format(self, what: ast.Func) -> Operand:
        inner = what.args[0] if len(what.args) == 1 else None
        if not isinstance(inner, ast.Path | ast.Func):
            raise self.locate(what.at, "MALFORMED_QUERY", "FORMAT takes one field or function")
        one = self.build(inner)
        kind, more = self._shown_as(one)
        if kind is None:  # the words are unverified
            raise self.locate(what.at, "INVALID_FIELD", f"field {one.field.name} does not support FORMAT")
        scale = scope.number(one.field.scale if one.field.type != "int" else 0)
        locale = self.bound.add(self.calendar.locale)
        arguments = [scope.text(kind), one.sql, scale, locale, more]
        made = exp.Anonymous(this="sf_format", expressions=arguments)
        return Operand(Field(one.field.name, "string", ""), made, "format", one.place)

    def _shown_as(self, one: Operand) -> tuple[str | None, exp.Expr]:
        """How `sf_format` is to write a value."""
        if one.field.type == "currency":
            if not self.money.several:
                return "currency", self.bound.add(self.calendar.currency)
            corporate = one.place is None
            mine = self.bound.add(self.calendar.currency) if one.kind == "money" else self.money.iso(one.place)
            return "iso", self.bound.add(self.money.default) if corporate else mine
        if one.field.type in ("date", "datetime"):
            return one.field.type, self.bound.add(self.calendar.zone.key)
        return ("number" if one.field.type in NUMBER_TYPES else None), scope.text("")

    def _converted(self, what: ast.Func) -> Operand:
        place = self.scope.resolve(self._only(what))
        if place.field.type != "currency" or not self.money.several:  # the words are unverified
            said = f"convertCurrency is not supported on field {place.field.name}"
            raise self.locate(what.at, "INVALID_FIELD", said)
        worth = self.money.converted(place, self.bound.add(self.calendar.currency))
        return Operand(place.field, exact(worth, place.field), "money", place)

    # -- order ----------------------------------------------------------------------------------------

    def sort_key(self, one: Operand) -> list[exp.Expr]:
        """What rows are sorted by: picklists by the order of their values, money by what it is worth."""
        keys = self._sort_terms(one)
        return [exp.Null() for _ in keys] if isinstance(one.sql, exp.Null) else keys

    def _sort_terms(self, one: Operand) -> list[exp.Expr]:
        if one.kind == "field" and one.place is not None:
            if one.field.type == "currency":
                return [self.money.corporate(one.place)]
            if (position := self._position(one.place)) is not None:
                return [position, exp.Anonymous(this="sf_fold", expressions=[one.sql])]
        if folded(one.field) and one.kind != "date":
            return [exp.Anonymous(this="sf_fold", expressions=[one.sql])]
        return [one.sql]

    def _position(self, place: scope.Place) -> exp.Expr | None:
        """The place of a picklist's value in the list; unknown values come last (unverified), none stays null."""
        column, last = place.column, scope.number(999_999)
        table = place.field.values_from
        if table is not None:
            found: exp.Expr = _value_row(table, "SortOrder", column)
        elif place.field.type == "picklist" and place.field.picklist:
            listed = exp.Case(this=column.copy())
            for i, (value, _) in enumerate(place.field.picklist):
                listed = listed.when(self.bound.add(value), scope.number(i), copy=False)
            found = listed
        else:
            return None
        known = exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null()))
        return exp.Case().when(known, exp.Coalesce(this=found, expressions=[last]))


def _value_row(table: str, wanted: str, column: exp.Expr) -> exp.Subquery:
    """A field of the row that a picklist's value is."""
    found = exp.Select().from_(scope.table(table, "v")).limit(1)
    found.set("expressions", [scope.column("v", wanted)])
    found.set("where", exp.Where(this=exp.EQ(this=scope.column("v", "ApiName"), expression=column.copy())))
    return exp.Subquery(this=found)
