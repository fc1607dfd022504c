"""Random SOQL over the little company of `random_company`, as `evaluator.Query`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from sandbox.property.evaluator import Aggregate, Joined, Operand, Order, Query, Relative, SemiJoin, Test

FIELDS = {
    "Account": (
        *("Id:id", "Name:string", "Industry:picklist", "AnnualRevenue:number", "NumberOfEmployees:number"),
        *("Tags__c:multipicklist", "CreatedDate:datetime", "OwnerId:id", "Site:string", "Owner.Name:string"),
        *("Parent.Name:string", "Parent.Owner.IsActive:boolean"),
    ),
    "Contact": (
        *("Id:id", "LastName:string", "Email:string", "Birthdate:date", "AccountId:id", "Account.Name:string"),
        *("Account.Industry:picklist", "Account.Parent.Name:string", "CreatedDate:datetime", "LeadSource:picklist"),
    ),
    "Opportunity": (
        *("Id:id", "Name:string", "StageName:picklist", "Amount:number", "CloseDate:date", "IsClosed:boolean"),
        *("IsWon:boolean", "CreatedDate:datetime", "AccountId:id", "Account.Name:string", "Account.Site:string"),
        *("Owner.Name:string", "Account.Owner.Name:string", "NextStep:string", "Probability:number"),
        *("LeadSource:picklist",),
    ),
    "Task": (
        *("Id:id", "Status:picklist", "ActivityDate:date", "IsClosed:boolean", "WhatId:id", "What.Name:string"),
        *("What.Type:string", "Owner.Name:string", "CreatedDate:datetime", "Account.Name:string"),
    ),
}
CHILDREN = {
    ("Account", "Contacts"): ("Contact", "AccountId"),
    ("Account", "Opportunities"): ("Opportunity", "AccountId"),
    ("Opportunity", "Tasks"): ("Task", "WhatId"),
}
_JOINS = (
    *(("Account", "Id", "Opportunity", "AccountId"), ("Account", "Id", "Contact", "AccountId")),
    *(("Opportunity", "AccountId", "Contact", "AccountId"), ("Contact", "AccountId", "Account", "Id")),
    *(("Task", "WhatId", "Opportunity", "Id"), ("Task", "WhatId", "Account", "Id")),
)
_NOT_GROUPED = ("Tags__c", "NumberOfEmployees", "AnnualRevenue", "Amount", "Probability", "CreatedDate")
_NOT_AGGREGATED = ("boolean", "multipicklist")
_PARTS = ("CALENDAR_YEAR", "CALENDAR_QUARTER", "CALENDAR_MONTH", "DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR")
_MORE_PARTS = ("FISCAL_QUARTER", "WEEK_IN_MONTH", "WEEK_IN_YEAR")


def operands(source: str) -> list[Operand]:
    """The fields of an object that queries are made of."""
    return [Operand(*one.split(":")) for one in FIELDS[source]]


@dataclass
class Dice:
    """Makes queries; `values` knows what values a field has."""

    random: random.Random
    values: dict[tuple[str, str], list[Any]]

    def query(self) -> Query:
        """Any query."""
        source = self.random.choice(list(FIELDS))
        return self.groups(source) if self.random.random() < 0.3 else self.rows(source)

    def rows(self, source: str, depth: int = 0) -> Query:
        """A query of records."""
        known = operands(source)
        select = [Operand("Id", "id"), *self.random.sample([one for one in known if one.path != "Id"], 2)]
        query = Query(source, select, self.maybe(0.8, lambda: self.condition(source, joins=depth == 0)))
        sortable = [one for one in known if one.kind != "multipicklist"]
        query.order = [self.order(one) for one in self.random.sample(sortable, self.random.choice((0, 1, 2)))]
        query.limit = self.maybe(0.3, lambda: self.random.randint(0, 30))
        if depth == 0:
            query.offset = self.maybe(0.2, lambda: self.random.randint(0, 30))
            names = [name for of, name in CHILDREN if of == source and self.random.random() < 0.4]
            query.children = [(name, self.rows(CHILDREN[source, name][0], 1)) for name in names]
        return query

    def groups(self, source: str) -> Query:
        """An aggregate query."""
        known = operands(source)
        groupable = [one for one in known if one.path.split(".")[-1] not in _NOT_GROUPED and one.path != "Id"]
        keys = self.random.sample(groupable, self.random.randint(0, 2))
        dates = [one for one in known if one.kind in ("date", "datetime")]
        if self.random.random() < 0.4:
            keys.append(self.part(self.random.choice(dates)))
        if len({key.path.split(".")[-1] for key in keys}) < len(keys):
            keys = keys[:1]
        aggregates = [self.aggregate(known) for _ in range(self.random.randint(1, 2))]
        query = Query(source, [*keys, *aggregates], self.maybe(0.5, lambda: self.condition(source)), keys)
        if keys and len(keys) < 4:
            query.subtotals = self.random.choice(("", "", "ROLLUP", "CUBE"))
            query.having = self.maybe(0.4, lambda: self.over_group(aggregates[0]))
            chosen = self.random.sample([*keys, *aggregates], self.random.randint(0, 1))
            query.order = [self.order(one) for one in chosen]
        return query

    def maybe(self, chance: float, make: Any) -> Any:
        """Something, or None."""
        return make() if self.random.random() < chance else None

    def order(self, of: Operand | Aggregate) -> Order:
        """A term of ORDER BY."""
        return Order(of, self.random.random() < 0.5, self.random.random() < 0.5)

    def part(self, of: Operand) -> Operand:
        """A date function over a date."""
        zoned = of.kind == "datetime" and self.random.random() < 0.5
        choice = (*_PARTS, *_MORE_PARTS, *(("HOUR_IN_DAY", "DAY_ONLY") if of.kind == "datetime" else ()))
        return Operand(of.path, of.kind, self.random.choice(choice), zoned)

    def aggregate(self, known: list[Operand]) -> Aggregate:
        """An aggregate function over a field that takes it."""
        name = self.random.choice(("COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"))
        plain = [one for one in known if one.kind not in _NOT_AGGREGATED and one.path != "ActivityDate"]
        numbers = [one for one in plain if one.kind == "number"] or [None]
        if name in ("SUM", "AVG"):
            one = self.random.choice(numbers)
            return Aggregate(name, one) if one else Aggregate("COUNT", plain[0])
        return Aggregate(name, self.random.choice(plain))

    def over_group(self, of: Aggregate) -> Any:
        """A condition of HAVING."""
        if of.name in ("MIN", "MAX") and of.operand.kind not in ("number",):
            return Test(of, "!=", None, "null")
        value = self.random.randint(0, 4) * (1 if of.name.startswith("COUNT") else 100)
        return Test(of, self.random.choice(("=", "!=", "<", "<=", ">", ">=")), value, str(value))

    # -- conditions -----------------------------------------------------------------------------------

    def condition(self, source: str, *, joins: bool = False, depth: int = 0) -> Any:
        """A condition on rows."""
        if joins and self.random.random() < 0.2:
            chosen = [one for one in _JOINS if one[0] == source]
            if chosen:
                _, path, other, there = self.random.choice(chosen)
                inner = Query(other, [], self.maybe(0.6, lambda: self.condition(other)))
                join = SemiJoin(Operand(path, "id"), self.random.random() < 0.5, there, inner)
                return join if self.random.random() < 0.5 else Joined("AND", (self.condition(source, depth=1), join))
        if depth < 3 and self.random.random() < 0.5:
            word = self.random.choice(("AND", "OR", "NOT"))
            parts = 1 if word == "NOT" else self.random.randint(2, 3)
            return Joined(word, tuple(self.condition(source, depth=depth + 1) for _ in range(parts)))
        return self.test(source)

    def test(self, source: str) -> Test:
        """A comparison."""
        of = self.random.choice(operands(source))
        if of.kind in ("date", "datetime") and self.random.random() < 0.3:
            of = self.part(of)
            if of.result == "number":
                return self.compared(of, self.random.randint(0, 13))
            return self.compared(of, f"2026-0{self.random.randint(1, 9)}-1{self.random.randint(0, 9)}")
        if of.kind in ("date", "datetime") and self.random.random() < 0.5:
            return self.relative(of)
        values = self.values[source, of.path]
        roll = self.random.random()
        if roll < 0.12:
            return Test(of, self.random.choice(("=", "!=")), None, "null")
        if roll < 0.35 and of.kind != "boolean":
            some = [*self.random.sample(values, min(3, len(values))), *([None] if roll < 0.15 else [])]
            if of.kind == "multipicklist" and roll >= 0.15:
                op = self.random.choice(("INCLUDES", "EXCLUDES"))
            else:
                op = self.random.choice(("IN", "NOT IN"))
            return Test(of, op, some, f"({', '.join(self.shown(of, one) for one in some)})")
        if of.kind in ("string", "picklist") and roll < 0.55:
            return self.like(of, self.random.choice(values))
        return self.compared(of, self.random.choice(values))

    def compared(self, of: Operand, value: Any) -> Test:
        """A comparison with a value."""
        plain = of.kind in ("id", "boolean", "multipicklist", "picklist") and not of.function
        op = self.random.choice(("=", "!=") if plain else ("=", "!=", "<", "<=", ">", ">="))
        if isinstance(value, str) and of.kind == "string" and self.random.random() < 0.3:
            value = value.upper() if value.upper().casefold() == value.casefold() else value
        return Test(of, op, value, self.shown(of, value))

    def like(self, of: Operand, value: str) -> Test:
        """LIKE with a pattern made of a value."""
        start, end = sorted(self.random.choices(range(len(value) + 1), k=2))
        middle = value[start:end].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        if middle and self.random.random() < 0.3 and middle[-1] not in "%_\\" and middle[-2:-1] != "\\":
            middle = middle[:-1] + "_"
        pattern = self.random.choice(("%", "")) + middle + self.random.choice(("%", ""))
        return Test(of, "LIKE", pattern, "'" + pattern.replace("'", "\\'") + "'")

    def relative(self, of: Operand) -> Test:
        """A comparison with a relative date literal."""
        unit = self.random.choice(("DAY", "WEEK", "MONTH", "QUARTER", "YEAR"))
        n = self.random.randint(1, 5)
        fiscal = unit in ("QUARTER", "YEAR") and self.random.random() < 0.4
        name = f"FISCAL_{unit}" if fiscal else unit
        named = {"DAY": ("YESTERDAY", "TODAY", "TOMORROW")}.get(unit, (f"LAST_{name}", f"THIS_{name}", f"NEXT_{name}"))
        choices = [
            *((written, Relative(unit, i, i, fiscal)) for written, i in zip(named, (-1, 0, 1), strict=True)),
            (f"LAST_N_{name}S:{n}", Relative(unit, -n, 0 if unit == "DAY" else -1, fiscal)),
            (f"NEXT_N_{name}S:{n}", Relative(unit, 1, n, fiscal)),
            (f"N_{name}S_AGO:{n}", Relative(unit, -n, -n, fiscal)),
        ]
        written, meant = self.random.choice(choices)
        return Test(of, self.random.choice(("=", "!=", "<", "<=", ">", ">=")), meant, written)

    def shown(self, of: Operand, value: Any) -> str:
        """A value as SOQL writes it."""
        if value is None:
            return "null"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float) or of.result in ("date", "datetime"):
            return str(value)
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
