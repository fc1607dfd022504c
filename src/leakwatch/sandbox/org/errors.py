"""Refusals, as Salesforce words them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ROLLED_BACK = "Record rolled back because not all records were valid and the request was using AllOrNone header"


class OrgError(Exception):
    """A refusal: HTTP status, Salesforce's error code, its text and the fields it names."""

    def __init__(self, status: int, error_code: str, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(f"{error_code}: {message}")
        self.status = status
        self.error_code = error_code
        self.message = message
        self.fields = list(fields)
        self.others: list[OrgError] = []
        """What else is wrong with the same row."""
        self.extra: dict[str, Any] = {}
        """More keys of a single row's answer, such as what a duplicate rule found."""

    def body(self) -> list[dict[str, Any]]:
        """The error as single-row resources and queries answer it: an array, code under `errorCode`."""
        one: dict[str, Any] = {"message": self.message, "errorCode": self.error_code, **self.extra}
        if self.fields:
            one["fields"] = self.fields
        return [one, *(more for other in self.others for more in other.body())]

    def rows(self) -> list[dict[str, Any]]:
        """The error as Collections answer it for one row: code under `statusCode`."""
        one = {"statusCode": self.error_code, "message": self.message, "fields": self.fields}
        return [one, *(more for other in self.others for more in other.rows())]


def bad(error_code: str, message: str, *fields: str) -> OrgError:
    """A plain 400 refusal."""
    return OrgError(400, error_code, message, fields)


def not_found(message: str = "The requested resource does not exist") -> OrgError:
    """404 as the REST API words it."""
    return OrgError(404, "NOT_FOUND", message)


def no_column(name: str, sobject: str) -> OrgError:
    """An unknown field in a written row."""
    return bad("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject}")


def not_emulated(what: str) -> OrgError:
    """The sandbox's own refusal, which the real service never gives: what it names is not emulated."""
    return OrgError(501, "SANDBOX_NOT_EMULATED", f"The sandbox does not emulate {what}")
