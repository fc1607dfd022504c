"""What Teams answers instead of what was asked."""

from __future__ import annotations

from leakwatch.sandbox.microsoft.errors import GraphError


def missing_role(wanted: tuple[str, ...], have: frozenset[str]) -> GraphError:
    """403: no permission that allows it."""
    text = (
        f"Missing role permissions on the request. API requires one of '{', '.join(wanted)}'. "
        f"Roles on the request '{', '.join(sorted(have))}'."
    )
    return GraphError(403, "Forbidden", text)


def no_access_policy() -> GraphError:
    """403: no application access policy lets the application act for this organiser.

    As in concepts/cloud-communication-online-meeting-application-access-policy, "Errors".
    """
    return GraphError(403, "Forbidden", "No application access policy found for this app")


def not_organiser() -> GraphError:
    """403: a join URL of a meeting that somebody else organises."""
    return GraphError(403, "Forbidden", "3003: User does not have access to lookup meeting.")


def not_found(what: str) -> GraphError:
    """404 (the text is not documented)."""
    return GraphError(404, "NotFound", f"{what} not found.")


def protected_api() -> GraphError:
    """403: the form of concepts/teams-protected-apis was not sent, or not answered yet."""
    text = (
        "Invoked API requires Protected API access in application-only context when not using Resource Specific "
        "Consent. Visit https://docs.microsoft.com/en-us/graph/teams-protected-apis for more details."
    )
    return GraphError(403, "Forbidden", text)


def payment_required(model: str) -> GraphError:
    """402: concepts/teams-licenses, "Payment-related errors", as they were until August 2025 (in other words)."""
    if model:
        text = "To call this API the app must be associated with an Azure subscription."
    else:
        text = "Evaluation mode capacity has been exceeded. Use a valid billing model."
    return GraphError(402, "PaymentRequired", text)


def licence_needed() -> GraphError:
    """403: `model=A` for a user without the licence of security and compliance (in other words)."""
    return GraphError(403, "Forbidden", "The user needs a valid license to access this API with model=A.")
