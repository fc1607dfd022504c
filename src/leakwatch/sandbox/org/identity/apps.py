"""Connected apps (External Client Apps): what an app may do, and for whom."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from leakwatch.sandbox.org.identity.book import Book
from leakwatch.sandbox.org.identity.errors import TokenError

Policy = Literal["self_authorized", "admin_approved"]


@dataclass(frozen=True, slots=True)
class App:
    """One app as an administrator set it up."""

    client_id: str
    """The consumer key."""
    certificate: str = ""
    """PEM of the certificate or public key that JWTs are checked with; empty: no JWT bearer flow."""
    secret: str = ""
    """The consumer secret; empty: the app has none."""
    users: tuple[str, ...] = ()
    """Usernames in lower case: who approved the app, or whom an administrator approved for it."""
    policy: Policy = "self_authorized"
    """Permitted users: all may authorize themselves, or only those approved by an administrator."""
    run_as: str = ""
    """Username that client credentials act as; empty: the flow is off."""
    scopes: tuple[str, ...] = ("api",)
    rotation: bool = True
    """Refresh token rotation: each refresh token is good once."""
    installed: bool = True
    """Whether the app is installed in this org."""

    def check_secret(self, given: str) -> None:
        """Refuse a wrong secret."""
        if not self.secret or not hmac.compare_digest(self.secret.encode(), given.encode()):
            raise TokenError("invalid_client", "invalid client credentials")


#: What may be changed while the org runs: not the key, which names it.
CHANGEABLE = tuple(field.name for field in fields(App) if field.name != "client_id")


class Apps:
    """The apps that the org knows."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def put(self, app: App) -> None:
        """Register an app, or set it up otherwise."""
        users = tuple(sorted(name.casefold() for name in app.users))
        spec = json.dumps(asdict(replace(app, users=users)), sort_keys=True)
        self._book.run("INSERT OR REPLACE INTO app VALUES (?, ?)", (app.client_id, spec))

    def get(self, client_id: str) -> App | None:
        """The app of a consumer key."""
        rows = self._book.run("SELECT spec FROM app WHERE client_id = ?", (client_id,))
        return _app(rows[0]["spec"]) if rows else None

    def all(self) -> list[App]:
        """Every app, by consumer key."""
        return [_app(row["spec"]) for row in self._book.run("SELECT spec FROM app ORDER BY client_id")]

    def known(self, client_id: str) -> App:
        """The app of a consumer key; refuses what is none, and what is not installed.

        The two refusals are worded as clients report them.
        """
        app = self.get(client_id)
        if app is None:
            raise TokenError("invalid_client_id", "client identifier invalid")
        if not app.installed:
            raise TokenError("app_not_found", "External client app is not installed in this org")
        return app

    def change(self, client_id: str, changes: Mapping[str, Any]) -> App:
        """Set up an app otherwise; raises ValueError, and changes nothing, where a change makes no sense."""
        app = self.get(client_id)
        if app is None:
            raise ValueError(f"there is no app {client_id!r}")
        for name, value in changes.items():
            if name not in CHANGEABLE:
                raise ValueError(f"{name!r} can't be changed; what can: {', '.join(CHANGEABLE)}")
            _check(name, value, getattr(app, name))
        plain = {name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()}
        self.put(replace(app, **plain))
        return self.get(client_id) or app


def _check(name: str, value: Any, before: Any) -> None:
    listed = isinstance(before, tuple)
    right = isinstance(value, list) if listed else type(value) is type(before)
    if listed and right:
        right = all(isinstance(one, str) for one in value)
    if name == "policy":
        right = value in ("self_authorized", "admin_approved")
    if not right:
        raise ValueError(f"{value!r} is no value of {name}")


def _app(spec: str) -> App:
    raw = json.loads(spec)
    return App(**(raw | {"users": tuple(raw["users"]), "scopes": tuple(raw["scopes"])}))
