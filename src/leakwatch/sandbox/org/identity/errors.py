"""Refusals of the authorization server, which have shapes of their own."""

from __future__ import annotations

EXPIRED_TOKEN = "expired access/refresh token"  # noqa: S105  a text
NOT_APPROVED = "user hasn't approved this consumer"


class TokenError(Exception):
    """A refusal of the token endpoint (RFC 6749, 5.2): 400 unless said otherwise."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.status = status
        self.body = {"error": error, "error_description": description}


class IdentityError(Exception):
    """A refusal of userinfo and of the identity URL: one word of plain text (help, "Identity URLs")."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


def invalid_grant(description: str) -> TokenError:
    """The refusal of a grant, in the words that tell why."""
    return TokenError("invalid_grant", description)


def invalid_assertion() -> TokenError:
    """What is wrong with an assertion is not told."""
    return invalid_grant("invalid assertion")


def not_emulated(what: str) -> TokenError:
    """The sandbox's own refusal, in the token endpoint's shape."""
    return TokenError("SANDBOX_NOT_EMULATED", f"The sandbox does not emulate {what}", 501)
