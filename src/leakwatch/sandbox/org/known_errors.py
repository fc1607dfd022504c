"""Errors that faults play by their code: status, text, and the fields they name.

Source: REST API Developer Guide, "Status Codes and Error Responses"; SOAP API Developer Guide, "StatusCode" and
"ExceptionCode". Those guides list the codes and say what they mean. The statuses in `UNSETTLED` are guesses, and so
are texts that this sandbox does not answer by itself elsewhere: clients must go by the code.
"""

from __future__ import annotations

from typing import NamedTuple


class KnownError(NamedTuple):
    """One error as Salesforce answers it."""

    status: int
    message: str
    fields: tuple[str, ...] = ()


_LOCKED = "unable to obtain exclusive access to this record or 1 records: {id}"
CALL_ERRORS: dict[str, KnownError] = {
    "API_CURRENTLY_DISABLED": KnownError(403, "API is currently disabled for this user"),
    "API_DISABLED_FOR_ORG": KnownError(403, "The REST API is not enabled for this Organization."),
    "INSUFFICIENT_ACCESS": KnownError(403, "You do not have the level of access necessary to perform the operation"),
    "INVALID_FIELD": KnownError(400, "No such column 'Hidden__c' on entity 'Account'."),
    "INVALID_QUERY_LOCATOR": KnownError(400, "invalid query locator"),
    "INVALID_SESSION_ID": KnownError(401, "Session expired or invalid"),
    "MALFORMED_QUERY": KnownError(400, "unexpected token: '<EOF>'"),
    "GONE": KnownError(410, "The requested API version is no longer supported"),
    "OPERATION_TOO_LARGE": KnownError(400, "exceeded 100000 distinct who/what's"),
    "QUERY_TIMEOUT": KnownError(400, "Your query request was running for too long."),
    "QUERY_TOO_COMPLICATED": KnownError(400, "Query is either selecting too many fields or its filter is too long"),
    "REQUEST_LIMIT_EXCEEDED": KnownError(403, "TotalRequests Limit exceeded."),
    "SERVER_UNAVAILABLE": KnownError(503, "Service unavailable. Please try again later."),
    "TXN_SECURITY_METERING_ERROR": KnownError(
        400, "We can't complete the request because an enabled transaction security policy took too long to complete."
    ),
    "UNKNOWN_EXCEPTION": KnownError(
        500, "An unexpected error occurred. Please include this ErrorId if you contact support"
    ),
}
"""What a whole call is refused with."""

ROW_ERRORS: dict[str, KnownError] = {
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": KnownError(
        400, "Sandbox: execution of BeforeInsert caused by: System.LimitException: Too many SOQL queries: 101"
    ),
    "CANNOT_UPDATE_CONVERTED_LEAD": KnownError(400, "cannot reference converted lead"),
    "DUPLICATE_VALUE": KnownError(
        400, "duplicate value found: <unknown> duplicates value on record with id: <unknown>"
    ),
    "DUPLICATES_DETECTED": KnownError(400, "Use one of these records?"),
    "ENTITY_IS_DELETED": KnownError(400, "entity is deleted"),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": KnownError(400, "Please give a reason"),
    "FIELD_FILTER_VALIDATION_EXCEPTION": KnownError(
        400, "Value does not exist or does not match filter criteria.", ("OwnerId",)
    ),
    "FIELD_INTEGRITY_EXCEPTION": KnownError(400, "Related To ID: id value of incorrect type", ("WhatId",)),
    "INACTIVE_OWNER_OR_USER": KnownError(400, "operation performed with inactive user as owner", ("OwnerId",)),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": KnownError(
        400, "insufficient access rights on cross-reference id: {id}"
    ),
    "INSUFFICIENT_ACCESS_OR_READONLY": KnownError(400, "insufficient access rights on object id"),
    "INVALID_CROSS_REFERENCE_KEY": KnownError(400, "invalid cross reference id"),
    "INVALID_EMAIL_ADDRESS": KnownError(400, "Email: invalid email address: x", ("Email",)),
    "INVALID_FIELD_FOR_INSERT_UPDATE": KnownError(
        400,
        "Unable to create/update fields: Subject. Please check the security settings of this field and verify that "
        "it is read/write for your profile or permission set.",
        ("Subject",),
    ),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": KnownError(
        400, "Status: bad value for restricted picklist field: x", ("Status",)
    ),
    "MALFORMED_ID": KnownError(400, "Related To ID: id value of incorrect type: x", ("WhatId",)),
    "PROCESSING_HALTED": KnownError(400, "The transaction was rolled back since another operation failed."),
    "REQUIRED_FIELD_MISSING": KnownError(400, "Required fields are missing: [Reason__c]", ("Reason__c",)),
    "STORAGE_LIMIT_EXCEEDED": KnownError(400, "storage limit exceeded"),
    "STRING_TOO_LONG": KnownError(400, "Subject: data value too large: x (max length=255)", ("Subject",)),
    "UNABLE_TO_LOCK_ROW": KnownError(400, _LOCKED),
}
"""What a row is refused with, alone or in Collections. `{id}` stands for the first id of the point's text."""

UNSETTLED = frozenset(
    {
        *("API_CURRENTLY_DISABLED", "INSUFFICIENT_ACCESS", "OPERATION_TOO_LARGE", "QUERY_TIMEOUT"),
        *("ENTITY_IS_DELETED", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "INSUFFICIENT_ACCESS_OR_READONLY"),
        *("INVALID_CROSS_REFERENCE_KEY", "STORAGE_LIMIT_EXCEEDED", "TXN_SECURITY_METERING_ERROR"),
    }
)
"""Codes whose HTTP status no document settles; a rule's `status` plays another one."""
