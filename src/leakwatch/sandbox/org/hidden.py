"""Fields out of everybody's sight, as if field-level security had been taken away (setting `hidden_fields`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from leakwatch.sandbox.org.schema import Schema


def check(schema: Schema, names: Iterable[str]) -> None:
    """Raise ValueError for an "Object.Field" that is not there, or that can't be hidden."""
    for name in names:
        sobject, _, field = name.partition(".")
        one = schema.objects.get(sobject)
        if one is None or field not in one.fields or field == "Id":
            raise ValueError(f"hidden_fields: there is no field {name} that could be hidden")


def hide(schema: Schema, hidden_fields: Sequence[str]) -> None:
    """Take the fields of the settings out of everybody's sight; those that a restored state lacks are no matter."""
    for name, one in schema.objects.items():
        names = (hidden.partition(".") for hidden in hidden_fields)
        one.hidden = frozenset(field for sobject, _, field in names if sobject == name)
