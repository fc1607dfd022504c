"""The token endpoint's grants: JWT bearer, client credentials, refresh token; and who may use an app."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leakwatch.sandbox.org.identity import assertion
from leakwatch.sandbox.org.identity.apps import App
from leakwatch.sandbox.org.identity.errors import EXPIRED_TOKEN, NOT_APPROVED, TokenError, invalid_grant, not_emulated
from leakwatch.sandbox.org.identity.hosts import Site
from leakwatch.sandbox.org.identity.sessions import Session

if TYPE_CHECKING:
    from leakwatch.sandbox.org.identity.authority import Authority

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
Form = Mapping[str, str]


def grant(authority: Authority, form: Form, client: tuple[str, str], site: Site) -> dict[str, Any]:
    """Answer `POST /services/oauth2/token`; a refusal is a TokenError.

    Args:
        authority: The org's authorization server.
        form: The form's fields.
        client: Consumer key and secret that came with the request, in the form or as HTTP Basic.
        site: The addresses to answer with.
    """
    kind = form.get("grant_type", "")
    if kind == JWT_BEARER:
        return _jwt_bearer(authority, form, site)
    if kind == "client_credentials":
        return _client_credentials(authority, client, site)
    if kind == "refresh_token":
        return _refresh(authority, form, client, site)
    if kind == "password":
        # the flow is blocked in new orgs and no External Client App has it; that a blocked flow is worded like
        # a wrong password is unverified
        raise invalid_grant("authentication failure")
    if kind in ("authorization_code", "hybrid_auth_code", "hybrid_refresh"):
        raise not_emulated("the OAuth web server flow")
    if kind == "device":
        raise not_emulated("the OAuth device flow")
    if kind in ("assertion", "urn:ietf:params:oauth:grant-type:saml2-bearer"):
        raise not_emulated("the OAuth SAML flows")
    if kind == "urn:ietf:params:oauth:grant-type:token-exchange":
        raise not_emulated("the OAuth token exchange flow")
    raise TokenError("unsupported_grant_type", "grant type not supported")


def _jwt_bearer(authority: Authority, form: Form, site: Site) -> dict[str, Any]:
    signed = form.get("assertion")
    if not signed:
        raise TokenError("invalid_request", "assertion parameter is missing")  # words unverified
    settings, now = authority.settings, authority.sessions.wall_clock()
    audiences = authority.hosts.audiences(my_domain=settings.my_domain_audience)
    app, claims = assertion.read(signed, authority.apps, audiences)
    assertion.check_times(claims, now, most_ahead=settings.jwt_seconds_ahead)
    assertion.use_once(claims, app, authority.book, now)
    user = _user(authority, str(claims.get("sub") or ""))
    if user is None:  # told like one who has not approved the app
        raise invalid_grant(NOT_APPROVED)
    user_id = _permitted(authority, app, user, approved=str(user["Username"]).casefold() in app.users)
    return _answer(authority, authority.sessions.open(user_id, app.client_id, scope=_scope(app)), site)


def _client_credentials(authority: Authority, client: tuple[str, str], site: Site) -> dict[str, Any]:
    """Only at My Domain; the session is that of the app's Run-As user."""
    if site.at_login:
        raise invalid_grant("request not supported on this domain")
    app = authority.apps.known(client[0])
    app.check_secret(client[1])
    user = _user(authority, app.run_as)
    if user is None:
        raise invalid_grant("no client credentials user enabled")
    user_id = _permitted(authority, app, user)
    session = authority.sessions.open(user_id, app.client_id, scope=_scope(app))
    return _answer(authority, session, site, app=app)


def _refresh(authority: Authority, form: Form, client: tuple[str, str], site: Site) -> dict[str, Any]:
    """With rotation the answer brings the next refresh token."""
    given = form.get("refresh_token")
    if not given:
        raise TokenError("invalid_request", "refresh_token parameter is missing")  # words unverified
    app = authority.apps.known(client[0])
    if app.secret:  # apps require it by default ("Require Secret for Refresh Token Flow")
        app.check_secret(client[1])
    with authority.book.lock:
        token = authority.refresh_tokens.take(given, app.client_id)
        user = authority.org.store.get("User", token.user_id)
        if user is None:
            raise invalid_grant(EXPIRED_TOKEN)
        user_id = _permitted(authority, app, user)
        session = authority.sessions.open(user_id, app.client_id, scope=token.scope, family=token.family)
        answer = _answer(authority, session, site, app=app)
        if app.rotation:
            answer["refresh_token"] = authority.refresh_tokens.rotate(token).token
    return answer


def _user(authority: Authority, username: str) -> dict[str, Any] | None:
    """The user of a name, deactivated or not."""
    org = authority.org
    found = org.store.find("User", org.schema.objects["User"].fields["Username"], username) if username else []
    return found[0] if found else None


def _permitted(authority: Authority, app: App, user: Mapping[str, Any], *, approved: bool = True) -> str:
    """The id of a user who may use an app; refused otherwise.

    Where users authorize themselves, `approved` tells whether this one did, or need not; where an administrator
    approves them, the refusal has a code of its own.
    """
    if app.policy == "admin_approved":
        if str(user["Username"]).casefold() not in app.users:
            raise TokenError("invalid_app_access", "user is not admin approved to access this app")
    elif not approved:
        raise invalid_grant(NOT_APPROVED)
    user_id = str(user["Id"])
    if not user["IsActive"]:
        raise invalid_grant("inactive user")  # restforce issue 303; seen of a refresh token
    if authority.is_barred("login", user_id):
        raise invalid_grant("user is locked")
    return user_id


def _scope(app: App) -> str:
    """What a flow without refresh tokens grants."""
    return " ".join(scope for scope in app.scopes if scope not in ("refresh_token", "offline_access"))


def _answer(authority: Authority, session: Session, site: Site, *, app: App | None = None) -> dict[str, Any]:
    """The successful body; signed where the app has a secret that was used. There is no `expires_in`."""
    identity = site.identity_url(authority.settings.org_id, session.user_id)
    issued = str(int(session.issued * 1000))
    body: dict[str, Any] = {
        "access_token": session.token,
        "scope": session.scope,
        "instance_url": site.instance_url,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
    }
    if app is not None and app.secret:
        digest = hmac.new(app.secret.encode(), f"{identity}{issued}".encode(), hashlib.sha256).digest()
        body["signature"] = base64.b64encode(digest).decode("ascii")
    return body
