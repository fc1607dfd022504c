"""What Graph and Entra answer instead of what was asked.

Graph: the OData error envelope, `error` with `code`, `message` and `innerError` (concepts/errors of its
documentation). Codes and texts are those of the documentation and of public reports (issue threads of the
documentation and of the SDKs); where neither shows one, the function says "not documented".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

#: Graph's own application id, the audience of its tokens.
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"


class GraphError(Exception):
    """An answer of Graph that is an error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        inner: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.inner = inner or {}

    def body(self, at: float, request_id: str, client_request_id: str) -> dict[str, Any]:
        """The JSON body; `at` is wall time in seconds since the epoch."""
        inner = self.inner | {
            "date": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


class TokenError(Exception):
    """A refusal of Entra (RFC 6749 §5.2 with Entra's additions); `number` is that of AADSTS."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(f"{error}: AADSTS{number}")
        self.status = status
        self.error = error
        self.number = number
        self.text = text

    def body(self, at: float, trace_id: str, correlation_id: str) -> dict[str, Any]:
        """The JSON body; `at` is wall time in seconds since the epoch."""
        stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trail = f" Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {stamp}"
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.number}: {self.text}{trail}",
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }


# -- who may call ----------------------------------------------------------------------------------


def bad_token(message: str) -> GraphError:
    """401: no token, one that is none, or one that is not good any more."""
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        f'client_id="{GRAPH_APP_ID}"'
    )
    return GraphError(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge})


def denied() -> GraphError:
    """403 of Exchange: the application has no permission that allows it."""
    return GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def policy_denied() -> GraphError:
    """403: an application access policy keeps the application out of this mailbox (auth-limit-mailbox-access)."""
    return GraphError(403, "ErrorAccessDenied", "Access to OData is disabled.")


def unprivileged() -> GraphError:
    """403 of the directory."""
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


# -- what is not there -----------------------------------------------------------------------------


def no_user(key: str) -> GraphError:
    """404 of the directory: nobody is called so."""
    text = f"Resource '{key}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", text)


def invalid_user(key: str) -> GraphError:
    """404 where a mailbox is asked for whose user is unknown."""
    return GraphError(404, "ErrorInvalidUser", f"The requested user '{key}' is invalid.")


def no_mailbox() -> GraphError:
    """404: no licence, soft-deleted, or still on the company's own Exchange."""
    text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
    return GraphError(404, "MailboxNotEnabledForRESTAPI", text)


def no_item() -> GraphError:
    """404: no such item or folder, or it was moved and the id was of its former place."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def bad_id() -> GraphError:
    """400: what was given is no id at all."""
    return GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def no_segment(name: str) -> GraphError:
    """400: a path that Graph does not know."""
    return GraphError(400, "BadRequest", f"Resource not found for the segment '{name}'.")


def no_signed_in_user() -> GraphError:
    """400: an application has no `/me`."""
    return GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")


def not_emulated(what: str) -> GraphError:
    """501: Graph has it, the sandbox does not."""
    return GraphError(501, "SandboxNotEmulated", f"The sandbox does not emulate {what}.")


def method_not_allowed() -> GraphError:
    """405: the path is known, the verb is not for it."""
    text = "Specified HTTP method is not allowed for the request target."
    return GraphError(405, "Request_BadRequest", text)


# -- queries that are refused ----------------------------------------------------------------------


def bad_request(message: str, code: str = "BadRequest") -> GraphError:
    """400."""
    return GraphError(400, code, message)


def unknown_property(name: str, kind: str) -> GraphError:
    """400: `$select`, `$filter` or `$orderby` names something that the type has not."""
    text = f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{kind}'."
    return GraphError(400, "BadRequest", text)


def inefficient_filter() -> GraphError:
    """400: `$orderby` beside `$filter` against the rule of user-list-messages."""
    return GraphError(400, "InefficientFilter", "The restriction or sort order is too complex for this operation.")


def unsupported_query(message: str = "Unsupported Query.") -> GraphError:
    """400 of the directory: a query that needs `ConsistencyLevel: eventual`, or none there is."""
    return GraphError(400, "Request_UnsupportedQuery", message)


# -- slow down -------------------------------------------------------------------------------------


def _retry(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, round(seconds)))}


def too_many_concurrent(seconds: float = 1) -> GraphError:
    """429 of Exchange: four requests of the application are running."""
    text = "Application is over its MailboxConcurrency limit."
    return GraphError(429, "ApplicationThrottled", text, headers=_retry(seconds))


def too_many_for_mailbox(seconds: float) -> GraphError:
    """429 of Exchange: 10,000 requests in ten minutes (the text is not documented)."""
    text = "Application is over its RequestRate limit."
    return GraphError(429, "ApplicationThrottled", text, headers=_retry(seconds))


def too_many(seconds: float) -> GraphError:
    """429 of Graph itself and of the directory (body of concepts/throttling)."""
    inner = {"code": "429", "status": "429", "message": "Please retry after"}
    return GraphError(429, "TooManyRequests", "Please retry again later.", headers=_retry(seconds), inner=inner)


def gateway_timeout() -> GraphError:
    """504: a page that was too big to be made in time."""
    return GraphError(504, "UnknownError", "")


def of_status(status: int, retry_after: float | None = None) -> GraphError:
    """Graph's usual answer of a status, for faults."""
    known = {
        401: bad_token("Lifetime validation failed, the token is expired."),
        403: denied(),
        404: no_item(),
        410: state_not_found(),
        429: too_many_concurrent(),
        500: GraphError(500, "InternalServerError", "Object reference not set to an instance of an object."),
        502: GraphError(502, "UnknownError", ""),
        503: GraphError(503, "serviceNotAvailable", "The service is temporarily unavailable. Please retry later."),
        504: gateway_timeout(),
    }
    error = known.get(status) or GraphError(status, "UnknownError", "")
    headers = {name: value for name, value in error.headers.items() if name != "Retry-After"}
    error.headers = headers | (_retry(retry_after) if retry_after is not None else {})
    return error


# -- change tracking -------------------------------------------------------------------------------


def state_not_found(generation: int = 149, highest: int = 157) -> GraphError:
    """410: the token's state is gone from Exchange's cache (text of microsoft-graph-docs issue 2350)."""
    text = f"The sync state generation is not found; generation={generation};[highest={highest}][{highest}]."
    return GraphError(410, "SyncStateNotFound", text)


def resync_required() -> GraphError:
    """410: the other code that the documentation has for it (concepts/errors)."""
    return GraphError(410, "resyncRequired", "Resync required. Please retry the sync from the beginning.")


def expired_400() -> GraphError:
    """400: how the directory and education resources say it, in the lower-case spelling of their announcement."""
    text = "The sync state generation is not found. The delta token is expired and data must be synchronized again."
    return GraphError(400, "syncStateNotFound", text)


def bad_state() -> GraphError:
    """400: a token that was never given, or for something else (not documented)."""
    return GraphError(400, "SyncStateInvalid", "The sync state is invalid.")
