"""Tokens and identity over HTTP, outside of the versioned API: `/services/oauth2/*` and `/id/*`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request

from leakwatch.sandbox.org.errors import not_emulated, not_found
from leakwatch.sandbox.org.facade import Org
from leakwatch.sandbox.org.identity.errors import IdentityError, TokenError
from leakwatch.sandbox.org.identity.grants import grant
from leakwatch.sandbox.org.rest.body import MEMORY, Body
from leakwatch.sandbox.org.rest.http import Reply

ROOTS = ("/services/oauth2/", "/id/")
_IDENTITY = re.compile(r"/id/([^/]+)/([^/]+)/?\Z")
_VERSION = re.compile(r"\d{2}\.0")
_LATEST = "68.0"


def answer(org: Org, request: Request, body: Body) -> Reply:
    """Answer a call below `ROOTS`."""
    given = dict(parse_qsl(request.url.query, keep_blank_values=True)) | _form(request, body)
    try:
        return _answer(org, request, given)
    except TokenError as error:
        return Reply(error.status, error.body, {"Cache-Control": "no-store"})
    except IdentityError as error:
        return Reply(error.status, content=error.word.encode(), media_type="text/html;charset=UTF-8")


def _answer(org: Org, request: Request, given: Mapping[str, str]) -> Reply:
    path, authority = request.url.path, org.identity
    site = authority.hosts.site(request.headers.get("host", ""))
    if found := _IDENTITY.match(path):
        _check_format(request, given)
        version = _version(given.get("version"))
        return Reply(body=authority.identity(found[1], found[2], _bearer(request, given), site, version=version))
    name = path.removeprefix(ROOTS[0]).rstrip("/")
    if name == "userinfo":
        _check_format(request, given)
        return Reply(body=authority.userinfo(_bearer(request, given), site))
    if name == "revoke":  # GET is documented too
        authority.revoke(_needed(given, "token"))
        return Reply(200)
    if name in ("token", "introspect") and request.method != "POST":
        raise TokenError("invalid_request", "must use HTTP POST")
    if name == "token":
        with org.store.reading():
            fresh = grant(authority, given, _client(request, given), site)
        return Reply(200, fresh, {"Cache-Control": "no-store"})
    if name == "introspect":
        return Reply(200, authority.introspect(_needed(given, "token"), _client(request, given), site))
    if name == "authorize":
        raise not_emulated("the OAuth authorization endpoint")
    if name == "singleaccess":
        raise not_emulated("single access (frontdoor) URLs")
    raise not_found()


def _form(request: Request, body: Body) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return {}
    text = body.read() if body.size <= MEMORY else b""
    return dict(parse_qsl(text.decode("utf-8", "replace"), keep_blank_values=True))


def _bearer(request: Request, given: Mapping[str, str]) -> str | None:
    """The access token: in the header, or as a parameter of the query or the form."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "oauth") and token.strip():
        return token.strip()
    return given.get("oauth_token") or given.get("access_token")


def _client(request: Request, given: Mapping[str, str]) -> tuple[str, str]:
    """Consumer key and secret: HTTP Basic goes before the form's fields."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise TokenError("invalid_client", "invalid client credentials") from None
        return unquote(key), unquote(secret)
    return given.get("client_id", ""), given.get("client_secret", "")


def _needed(given: Mapping[str, str], name: str) -> str:
    value = given.get(name)
    if not value:
        raise TokenError("invalid_request", f"{name} parameter is missing")  # words unverified
    return value


def _check_format(request: Request, given: Mapping[str, str]) -> None:
    """JSON is the only form made here; XML and JSONP exist."""
    accepted = request.headers.get("accept", "")
    wanted = given.get("format") or ("xml" if accepted.startswith("application/xml") else "json")
    if wanted != "json" or "callback" in given:
        raise not_emulated("identity in XML or JSONP")


def _version(given: str | None) -> str | None:
    if given is None:
        return None
    return given if _VERSION.fullmatch(given) else _LATEST  # `latest`; what another word does is unverified
