"""The org's authorization server as a whole: what the token endpoint, the data API and the control API ask."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leakwatch.sandbox.org import ids
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.org.identity import profile
from leakwatch.sandbox.org.identity.apps import Apps
from leakwatch.sandbox.org.identity.book import Book
from leakwatch.sandbox.org.identity.errors import IdentityError, TokenError
from leakwatch.sandbox.org.identity.hosts import Hosts, Site
from leakwatch.sandbox.org.identity.refresh import RefreshTokens
from leakwatch.sandbox.org.identity.sessions import Session, Sessions
from leakwatch.sandbox.org.settings import OrgSettings

if TYPE_CHECKING:
    from leakwatch.sandbox.org.facade import Org

Barred = Literal["login", "api"]
EVERYBODY = ""
_SCHEMES = ("bearer", "oauth")


class Authority:
    """Apps, sessions, refresh tokens, and who is kept from logging in or from the API."""

    def __init__(self, org: Org, folder: Path) -> None:
        self.org = org
        self.book = Book(folder)
        self.apps = Apps(self.book)
        self.sessions = Sessions(lambda: org.settings, self.book)
        self.refresh_tokens = RefreshTokens(self.book, self.sessions)
        self.hosts = Hosts()
        """Where the org is served; set by `rest.build_app`."""
        self._barred = {(row["what"], row["user_id"]) for row in self.book.run("SELECT * FROM barred")}

    @property
    def settings(self) -> OrgSettings:
        """How the org is set up."""
        return self.org.settings

    # -- who may ---------------------------------------------------------------------------------------

    def bar(self, what: Barred, user_id: str, *, barred: bool = True) -> None:
        """Lock a user (`login`), or take away the API from a user or from `EVERYBODY` (`api`); or undo that."""
        with self.book.lock:
            self.book.run("DELETE FROM barred WHERE what = ? AND user_id = ?", (what, user_id))
            self._barred.discard((what, user_id))
            if barred:
                self.book.run("INSERT INTO barred VALUES (?, ?)", (what, user_id))
                self._barred.add((what, user_id))

    def is_barred(self, what: Barred, user_id: str) -> bool:
        """Whether this is kept from a user."""
        return (what, user_id) in self._barred

    # -- the data API ----------------------------------------------------------------------------------

    def admit(self, authorization: str | None, site: Site, *, counts: bool = True) -> Session:
        """The session of a call to the data API; refused with the texts of the REST API.

        One code covers an expired, an unknown and a foreign token (a call to the login host among them), and
        the session of a deactivated user. That a header of another scheme has a code of its own, and the status
        of the two refusals of the API itself (403), are unverified. `counts`: it is one of the session's calls.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if authorization and scheme.lower() not in _SCHEMES:
            raise OrgError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        find = self.sessions.use if counts else self.sessions.find
        session = None if site.at_login else find(token.strip())
        if session is None or not self._is_active(session.user_id):
            raise OrgError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if not session.may_call_api:
            raise OrgError(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")
        if self.is_barred("api", EVERYBODY):
            raise OrgError(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
        if self.is_barred("api", session.user_id):
            raise OrgError(403, "API_CURRENTLY_DISABLED", "API is disabled for this User")
        return session

    def _is_active(self, user_id: str) -> bool:
        user = self.org.store.get("User", user_id)
        return user is None or bool(user["IsActive"])

    # -- who is it -------------------------------------------------------------------------------------

    def _bearer(self, token: str | None) -> Session:
        if not token:
            raise IdentityError(403, "Missing_OAuth_Token")
        session = self.sessions.find(token)
        if session is None:
            raise IdentityError(403, "Bad_OAuth_Token")
        return session

    def userinfo(self, token: str | None, site: Site) -> dict[str, Any]:
        """The body of userinfo, or an IdentityError."""
        session = self._bearer(token)
        return profile.userinfo(self._user(session.user_id), self.settings, site, self.org.clock.now())

    def identity(
        self, org_id: str, user_id: str, token: str | None, site: Site, *, version: str | None = None
    ) -> dict[str, Any]:
        """The body of the identity URL, or an IdentityError."""
        session = self._bearer(token)
        org, user = ids.normalise(org_id), ids.normalise(user_id)
        if org is None or user is None or org[:3] != "00D" or user[:3] != "005":
            raise IdentityError(404, "Bad_Id")
        if org != self.settings.org_id:
            raise IdentityError(403, "Wrong_Org")
        found = self._user(user)
        if not found.get("IsActive"):
            raise IdentityError(404, "Inactive")
        own = user == session.user_id
        now = self.org.clock.now()
        return profile.identity(found, self.settings, site, now, asserted=own, version=version)

    def _user(self, user_id: str) -> dict[str, Any]:
        found = self.org.get("User", user_id)
        if found is None:
            raise IdentityError(404, "Bad_Id")
        return found

    # -- tokens ----------------------------------------------------------------------------------------

    def introspect(self, token: str, client: tuple[str, str], site: Site) -> dict[str, Any]:
        """What a token is (RFC 7662); the asking app must know its secret. Times are seconds since 1970."""
        app = self.apps.known(client[0])
        app.check_secret(client[1])
        session, refresh = self.sessions.find(token), self.refresh_tokens.find(token)
        if session is not None:
            user_id, scope, of, issued = session.user_id, session.scope, session.app, session.issued
            kind, until = "access_token", session.expires
        elif refresh is not None and refresh.state == "active":
            user_id, scope, of, issued = refresh.user_id, refresh.scope, refresh.app, refresh.issued
            kind, until = "refresh_token", None
        else:
            return {"active": False}
        if not hmac.compare_digest(of.encode(), app.client_id.encode()):
            return {"active": False}  # another app's token: RFC 7662, 2.2; what Salesforce says is unverified
        body: dict[str, Any] = {
            "active": True,
            "scope": scope,
            "client_id": of,
            "username": (self.org.get("User", user_id) or {}).get("Username"),
            "sub": site.identity_url(self.settings.org_id, user_id),
            "token_type": kind,
            "iat": int(issued),
            "nbf": int(issued),
        }
        return body if until is None else body | {"exp": int(until)}

    def revoke(self, token: str) -> None:
        """End an access token, or a refresh token with the access tokens made from it."""
        refresh = self.refresh_tokens.find(token)
        if refresh is not None and refresh.state == "active":
            self.refresh_tokens.revoke_family(refresh.family)
        elif not self.sessions.close(lambda one: one.token == token):
            raise TokenError("unsupported_token_type", f"invalid token: {token}")
