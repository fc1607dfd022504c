"""The token endpoint and who-am-I, outside of the versioned API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.sessions import JWT_BEARER, LOGIN_AUDIENCES, Session, TokenError


def issue(
    org: Org, form: Mapping[str, str], *, instance_url: str, login_url: str, audiences: tuple[str, ...]
) -> tuple[int, dict[str, Any]]:
    """`POST /services/oauth2/token`: status and body."""
    try:
        session = _grant(org, form, audiences)
    except TokenError as error:
        return error.status, error.body
    return 200, {
        "access_token": session.token,
        "scope": "api",
        "instance_url": instance_url,
        "id": f"{login_url}/id/{org.settings.org_id}/{session.user_id}",
        "token_type": "Bearer",
        "issued_at": str(int(session.issued * 1000)),
    }


def _grant(org: Org, form: Mapping[str, str], audiences: tuple[str, ...]) -> Session:
    grant = form.get("grant_type")
    if grant is None:
        raise TokenError("unsupported_grant_type", "grant type not supported")
    if grant != JWT_BEARER:
        raise TokenError("unsupported_grant_type", f"grant type not supported by the sandbox: {grant}")
    assertion = form.get("assertion")
    if not assertion:
        raise TokenError("invalid_request", "assertion parameter is missing")
    return org.sessions.jwt_bearer(assertion, (*LOGIN_AUDIENCES, *audiences))


def user_info(org: Org, session: Session, login_url: str) -> dict[str, Any]:
    """`GET /services/oauth2/userinfo`, the part of it that clients use."""
    user = org.get("User", session.user_id) or {}
    return {
        "sub": f"{login_url}/id/{org.settings.org_id}/{session.user_id}",
        "user_id": session.user_id,
        "organization_id": org.settings.org_id,
        "preferred_username": user.get("Username"),
        "name": user.get("Name"),
        "email": user.get("Email"),
        "given_name": user.get("FirstName"),
        "family_name": user.get("LastName"),
        "zoneinfo": user.get("TimeZoneSidKey"),
        "locale": user.get("LocaleSidKey"),
        "active": user.get("IsActive"),
    }
