"""Values as they come in JSON for a row to be written: read by the field's type, or refused in Salesforce's words.

What is forgiving here is so in the real service: a number will do for a text and a text for a number, blanks
around a text go, an empty text is null. Not checked, because the real API does not either: whether a value of a
dependent picklist fits the controlling field, and unrestricted picklists (Task.Status, StageName, Lead.Status).
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import OrgError, bad
from leakwatch.sandbox.org.schema import NUMBER_TYPES, Field, Schema
from leakwatch.sandbox.org.values import parse_date, parse_instant, parse_time

MAX_INT = 2**31 - 1  # `xsd:int` of the field types
INT_DIGITS = 8  # describe's `digits` where the schema says nothing else (describe bodies of real orgs)
FIRST_YEAR, FIRST_YEAR_AFTER = 1700, 4001
"""Dates that a record can hold (Salesforce help, "Supported Date Format"); the code of the refusal is unverified."""
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*\Z")
_EMAIL = re.compile(r"[^\s@<>(),;:\\\"\[\]]+@(?:[^\s@<>(),;:\\\"\[\]._]+(?:[-_]+[^\s@.]+)*\.)+[^\s@.\d]{2,}\Z")


def is_email(text: str) -> bool:
    """Whether Salesforce would take it as an address (a plausible rule; its own is not published)."""
    return bool(_EMAIL.match(text)) and ".." not in text


def parse(schema: Schema, field: Field, value: Any) -> Any:
    """A JSON value of a written row in the form it is kept; refuses what the real service refuses."""
    kind = field.type
    if kind == "boolean":
        return _boolean(field, value)
    if value is None or value == "":
        return None
    if kind in NUMBER_TYPES:
        return _number(field, value)
    if kind in ("date", "datetime"):
        parsed = (parse_date if kind == "date" else parse_instant)(value) if isinstance(value, str) else None
        if parsed is None or not FIRST_YEAR <= int(parsed[:4]) < FIRST_YEAR_AFTER:
            raise parser_error(kind, value)
        return parsed
    if kind == "time":
        clock = parse_time(value) if isinstance(value, str) else None
        if clock is None:
            raise parser_error(kind, value)
        return clock
    if kind in ("reference", "id"):
        return parse_id(schema, field, value)
    return _text(field, value)


def parse_id(schema: Schema, field: Field, value: Any) -> str:
    """A reference: well-formed, and of an object that the field may point to."""
    normal = ids.normalise(value) if isinstance(value, str) else None
    target = schema.of_id(normal) if normal else None
    if normal is None or (field.refers_to and (target is None or target.name not in field.refers_to)):
        raise bad("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", field.name)
    return normal


def parser_error(kind: str, value: Any) -> OrgError:
    """JSON of a type that the field cannot take; the place in the body is made up."""
    token, shown = _token(value)
    return bad(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {token} value {shown} "
        "or request may be missing a required field at [line:1, column:1]",
    )


def _token(value: Any) -> tuple[str, str]:
    """The name that the real service's JSON reader has for a value, and how it shows it."""
    match value:
        case bool():
            return f"VALUE_{str(value).upper()}", str(value).lower()
        case int():
            return "VALUE_NUMBER_INT", str(value)
        case float():
            return "VALUE_NUMBER_FLOAT", str(value)
        case str():
            return "VALUE_STRING", value
        case list():
            return "START_ARRAY", "["
        case _:
            return "START_OBJECT", "{"


def _boolean(field: Field, value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return int(value.lower() == "true")
    if value is None:  # jetstream issue 712: nothing stands behind the colon
        raise bad("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{field.label}: value not of required type: ", field.name)
    raise parser_error("boolean", value)


def _number(field: Field, value: Any) -> int | float:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    if not (usable or (isinstance(value, str) and _NUMBER.match(value))) or not _finite(value):
        raise parser_error(field.type, value)
    exact = Decimal(str(value).strip())
    if field.type == "int":
        if exact != int(exact) or abs(exact) > MAX_INT:
            raise parser_error("int", value)
        if abs(exact) >= 10 ** dict(field.extra).get("digits", INT_DIGITS):
            raise _outside(field, value)
        return int(exact)
    if not field.precision:
        return float(exact)
    if abs(exact) >= 10 ** (field.precision - field.scale):
        raise _outside(field, value)
    # digits beyond the scale are dropped, not rounded (SOAP API guide, Field, `scale`); unverified in an org
    unit = Decimal(1).scaleb(-field.scale)
    return float(exact.quantize(unit, ROUND_DOWN, Context(prec=400)))


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:  # a whole number of more than 308 digits
        return False


def _outside(field: Field, value: Any) -> OrgError:
    said = f"{field.label}: value outside of valid range on numeric field: {value}"
    return bad("NUMBER_OUTSIDE_VALID_RANGE", said, field.name)


def _text(field: Field, value: Any) -> str | None:
    if isinstance(value, bool | dict | list):
        raise parser_error(field.type, value)
    text = str(value).strip()  # SOAP API guide, create(): blanks around the value of a text field go
    if not text:
        return None
    if field.length and len(text) > field.length:
        raise bad(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {text[:200]} (max length={field.length})",
            field.name,
        )
    if field.type == "multipicklist":
        return _several(field, text)
    _restricted(field, text)
    if field.type == "email" and not is_email(text):
        raise bad("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", field.name)
    return text


def _restricted(field: Field, text: str) -> None:
    if field.can("R") and field.picklist and text not in {value for value, _ in field.picklist}:
        raise not_listed(field, text)


def not_listed(field: Field, value: str) -> OrgError:
    """The refusal of a value that a restricted picklist does not have."""
    said = f"{field.label}: bad value for restricted picklist field: {value}"
    return bad("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", said, field.name)


def _several(field: Field, text: str) -> str | None:
    """Values of a multi-select picklist: once each, in the picklist's order (the order is unverified)."""
    given = list(dict.fromkeys(part.strip() for part in text.split(";") if part.strip()))
    for part in given:
        _restricted(field, part)
    order = {value: i for i, (value, _) in enumerate(field.picklist)}
    return ";".join(sorted(given, key=lambda part: order.get(part, len(order)))) or None
