"""WHERE and HAVING: conditions to SQL, with Salesforce's strictness about types and operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from leakwatch.sandbox.org import ids, values
from leakwatch.sandbox.org.errors import OrgError, not_emulated
from leakwatch.sandbox.org.indexes import folded
from leakwatch.sandbox.org.schema import ID_TYPES, NUMBER_TYPES, Field
from leakwatch.sandbox.org.soql import ast, dates
from leakwatch.sandbox.org.soql.dates import Calendar
from leakwatch.sandbox.org.soql.money import Money, rate
from leakwatch.sandbox.org.soql.operands import Kind, Operand
from leakwatch.sandbox.org.soql.plan import Bound
from leakwatch.sandbox.org.soql.scope import Locate
from leakwatch.sandbox.org.store import fold

MAX_INTEGER = 2**63 - 1  # what SQLite keeps as an integer; no record holds a larger number
_TYPE_WORDS = {"datetime": "dateTime", "currency": "double", "percent": "double"}
_OPS: dict[str, type[exp.Binary]] = {"<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE, "=": exp.EQ}
_IN_WHERE: frozenset[Kind] = frozenset(("field", "date", "label"))
_IN_HAVING: frozenset[Kind] = frozenset(("field", "date", "label", "aggregate", "grouping"))


def joined(word: str, parts: list[exp.Expr]) -> exp.Expr:
    """The parts under AND or OR, as a balanced tree: SQLite takes no tree of more than 1,000 levels."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = (exp.paren(joined(word, some), copy=False) for some in (parts[:half], parts[half:]))
    return (exp.And if word == "AND" else exp.Or)(this=left, expression=right)


@dataclass(slots=True)
class Filters:
    """Builds conditions over operands that `resolve` turns into a field and a column."""

    locate: Locate
    bound: Bound
    calendar: Calendar
    money: Money
    resolve: Callable[[ast.Path | ast.Func], Operand]
    semi_join: Callable[[ast.InQuery], exp.Expr]
    having: bool = False
    """Whether the conditions are about groups."""

    def build(self, cond: ast.Cond) -> exp.Expr:
        """A condition that is true or not; under NOT, an unknown counts as false."""
        match cond:
            case ast.Chain(word, parts):
                built = [self.build(part) for part in parts]
                return exp.paren(joined(word, built), copy=False)
            case ast.Not(part):
                known = exp.Coalesce(this=self.build(part), expressions=[exp.Literal.number(0)])
                return exp.Not(this=exp.paren(known, copy=False))
            case ast.InQuery():
                return self.semi_join(cond)
            case ast.InList(operand, negated, options):
                return self._in_list(self._filterable(operand), negated, options)
            case ast.Includes(operand, negated, options):
                return self._includes(operand, negated, options)
            case ast.Compare(operand, op, value):
                return self._compare(self._filterable(operand), op, value)

    def _filterable(self, what: ast.Path | ast.Func) -> Operand:
        one = self.resolve(what)
        if one.kind not in (_IN_HAVING if self.having else _IN_WHERE) and isinstance(what, ast.Func):
            # the code is sure, the words are unverified
            clause = "HAVING" if self.having else "WHERE"
            said = f"Functions of this kind are not allowed in the {clause} clause: {what.name}"
            raise self.locate(what.at, "MALFORMED_QUERY", said)
        if not one.field.can("F"):
            said = f"field '{one.field.name}' can not be filtered in a query call"
            raise self.locate(what.at, "INVALID_FIELD", said)
        if not one.field.stored:
            raise not_emulated(f"a filter on the compound field {one.field.name}")
        return one

    def _compare(self, operand: Operand, op: str, value: ast.Value) -> exp.Expr:
        one, column = operand.field, operand.sql
        if value.kind == "currency":
            return self._money(operand, op, value)
        if value.kind == "null" or (value.kind == "string" and value.value == "" and _blankable(one) and op != "LIKE"):
            return self._null(column, op, value)
        if op == "LIKE":
            return self._like(one, column, value)
        if value.kind == "relative":
            return self._relative(one, column, op, value)
        kept = self.kept(one, value)
        if folded(one):
            column, kept = exp.Anonymous(this="sf_fold", expressions=[column]), fold(kept)
        if op == "!=":
            return exp.Not(this=exp.Is(this=column, expression=self.bound.add(kept)))
        return _OPS[op](this=column, expression=self.bound.add(kept))

    def _money(self, operand: Operand, op: str, value: ast.Value) -> exp.Expr:
        """`Amount > USD5000`: what both are worth in the org's own currency; a row without a rate is not found."""
        place = operand.place
        if operand.field.type != "currency" or op == "LIKE" or operand.kind != "field" or place is None:
            raise self._wrong_type(operand.field, value)
        if not self.money.several:  # the words are unverified
            raise self.locate(value.at, "MALFORMED_QUERY", f"unexpected token: '{value.value}'")
        worth = exp.Div(this=self.bound.add(float(value.value[3:])), expression=rate(self.bound.add(value.value[:3])))
        column = self.money.corporate(place)
        if op == "!=":
            return exp.paren(exp.Not(this=exp.Is(this=column, expression=exp.paren(worth))))
        return _OPS[op](this=column, expression=exp.paren(worth))

    def _includes(self, what: ast.Path | ast.Func, negated: bool, options: tuple[ast.Value, ...]) -> exp.Expr:
        """Rows with all values of one of the options; EXCLUDES finds the others, those without a value too."""
        one = self._filterable(what)
        if one.field.type != "multipicklist":  # the words are unverified
            said = f"invalid operator on {one.field.type} field"
            raise self.locate(what.at, "INVALID_QUERY_FILTER_OPERATOR", said)
        semicolon = exp.Literal.string(";")
        held = exp.DPipe(this=semicolon, expression=exp.Anonymous(this="sf_fold", expressions=[one.sql]))
        held = exp.paren(exp.DPipe(this=held, expression=semicolon.copy()))
        tests: list[exp.Expr] = []
        for option in options:
            if option.kind != "string":
                raise self._wrong_type(one.field, option)
            wanted = [f";{fold(part.strip())};" for part in option.value.split(";") if part.strip()]
            found = [
                exp.GT(
                    this=exp.Anonymous(this="instr", expressions=[held.copy(), self.bound.add(part)]),
                    expression=exp.Literal.number(0),
                )
                for part in wanted
            ]
            tests.append(joined("AND", [*found]) if found else exp.Is(this=one.sql.copy(), expression=exp.Null()))
        test = exp.paren(joined("OR", tests))
        known = exp.Coalesce(this=test, expressions=[exp.Literal.number(0)])
        return exp.Not(this=exp.paren(known)) if negated else known

    def _null(self, column: exp.Expr, op: str, value: ast.Value) -> exp.Expr:
        if op not in ("=", "!="):
            raise self.locate(value.at, "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator '{op}' with null")
        test = exp.Is(this=column, expression=exp.Null())
        return test if op == "=" else exp.Not(this=test)

    def _like(self, one: Field, column: exp.Expr, value: ast.Value) -> exp.Expr:
        if one.type in ID_TYPES:
            raise self.locate(value.at, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id field")
        if not one.is_text or one.type == "multipicklist":
            raise self.locate(value.at, "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {one.type} field")
        if value.kind != "string":
            raise self._wrong_type(one, value)
        pattern = fold(value.like) if folded(one) else value.like
        if folded(one):
            column = exp.Anonymous(this="sf_fold", expressions=[column])
        like = exp.Like(this=column, expression=self.bound.add(pattern))
        return exp.Escape(this=like, expression=exp.Literal.string("\\"))

    def kept(self, one: Field, value: ast.Value) -> Any:
        """A literal in the form the column keeps; a literal of the wrong kind is refused."""
        if one.type in ID_TYPES and value.kind == "string":
            normal = ids.normalise(value.value)
            if normal is None:
                said = f"invalid ID field: {value.value}"
                raise self.locate(value.at, "INVALID_QUERY_FILTER_OPERATOR", said)
            return normal
        if value.kind == "string" and one.is_text:
            return value.value
        if value.kind == "number" and one.type in NUMBER_TYPES:
            return value.value if abs(value.value) <= MAX_INTEGER else float(value.value)
        if value.kind == "boolean" and one.type == "boolean":
            return int(value.value)
        if value.kind == one.type and value.kind in ("date", "datetime"):
            parsed = values.parse_date(value.value) if value.kind == "date" else values.parse_instant(value.value)
            if parsed is None:
                said = f"Invalid {one.type}: {value.value}"
                raise self.locate(value.at, "MALFORMED_QUERY", said)
            return parsed
        raise self._wrong_type(one, value)

    def _wrong_type(self, one: Field, value: ast.Value) -> OrgError:
        kind = "string" if one.is_text else _TYPE_WORDS.get(one.type, one.type)
        kind = "ID" if one.type in ID_TYPES else kind
        quoted = "should" if one.is_text or one.type in ID_TYPES else "should not"
        return self.locate(
            value.at,
            "INVALID_FIELD",
            f"value of filter criterion for field '{one.name}' must be of type {kind} "
            f"and {quoted} be enclosed in quotes",
        )

    def _relative(self, one: Field, column: exp.Expr, op: str, value: ast.Value) -> exp.Expr:
        if one.type not in ("date", "datetime"):
            raise self._wrong_type(one, value)
        calendar = self.calendar
        span = dates.span(
            value.value,
            calendar.today,
            first_weekday=calendar.first_weekday,
            fiscal_month=calendar.fiscal_month,
        )
        if span is None:
            raise self.locate(value.at, "MALFORMED_QUERY", f"unexpected token: '{value.value}'")
        low, high = span
        if one.type == "date":
            first, after = low.isoformat(), high.isoformat()
        else:
            first, after = calendar.midnight(low), calendar.midnight(high)
        within = exp.and_(
            exp.GTE(this=column, expression=self.bound.add(first)),
            exp.LT(this=column.copy(), expression=self.bound.add(after)),
        )
        simple: dict[str, exp.Expr] = {
            "=": within,
            "<": exp.LT(this=column.copy(), expression=self.bound.add(first)),
            "<=": exp.LT(this=column.copy(), expression=self.bound.add(after)),
            ">": exp.GTE(this=column.copy(), expression=self.bound.add(after)),
            ">=": exp.GTE(this=column.copy(), expression=self.bound.add(first)),
        }
        if op == "!=":
            known = exp.Coalesce(this=exp.paren(within), expressions=[exp.Literal.number(0)])
            return exp.Not(this=known)
        return exp.paren(simple[op])

    def _in_list(self, operand: Operand, negated: bool, options: tuple[ast.Value, ...]) -> exp.Expr:
        one, column = operand.field, operand.sql
        kinds = {option.kind for option in options}
        if "currency" in kinds and len(kinds) > 1:
            # SOQL reference, "convertCurrency()": no mixing; the words are unverified
            said = "Currency values with and without an ISO code cannot be mixed"
            raise self.locate(options[0].at, "MALFORMED_QUERY", said)
        if kinds & {"relative", "currency"}:
            tests = [self._compare(operand, "=", option) for option in options]
            either = exp.Coalesce(this=exp.paren(joined("OR", tests)), expressions=[exp.Literal.number(0)])
            return exp.Not(this=exp.paren(either)) if negated else either
        empty = [option for option in options if option.kind == "null" or (option.value == "" and _blankable(one))]
        kept = [self.kept(one, option) for option in options if option not in empty]
        if folded(one):
            shown: exp.Expr = exp.Anonymous(this="sf_fold", expressions=[column.copy()])
            kept = [fold(value) for value in kept]
        else:
            shown = column.copy()
        is_null = exp.Is(this=column, expression=exp.Null())
        inside: exp.Expr = exp.In(this=shown, expressions=[self.bound.add(value) for value in kept])
        if not kept:
            inside = exp.false()
        if not negated:
            return exp.paren(exp.or_(inside, is_null)) if empty else inside
        outside = exp.Not(this=exp.paren(inside))
        if empty:
            return exp.paren(exp.and_(outside, exp.Not(this=is_null)))
        return exp.paren(exp.or_(is_null, outside))


def _blankable(one: Field) -> bool:
    """Whether an empty text stands for no value (of ids that is unverified)."""
    return one.is_text or one.type in ID_TYPES
