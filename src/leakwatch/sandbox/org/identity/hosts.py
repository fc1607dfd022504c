"""Which host was called: the login host (login.salesforce.com) or the org's own (My Domain).

Locally the two are told apart by port. Through the sandbox's proxy (`sandbox/proxy.py`) they have their real
names, and everything that an answer says about addresses then has real names too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

PRODUCTION_LOGIN, SANDBOX_LOGIN = "login.salesforce.com", "test.salesforce.com"
LOGIN_AUDIENCES = (f"https://{PRODUCTION_LOGIN}", f"https://{SANDBOX_LOGIN}")
MY_DOMAIN = "leakwatch-dev.my.salesforce.com"
SANDBOX_DOMAIN = "leakwatch--dev.sandbox.my.salesforce.com"
_MY_DOMAINS = ".my.salesforce.com"
_LOOPBACK = ("127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Site:
    """The org's addresses as a caller knows them; base URLs without a closing slash."""

    login_url: str
    instance_url: str
    at_login: bool
    """Whether the login host was called."""

    def identity_url(self, org_id: str, user_id: str) -> str:
        """What stands for a user outside of the org."""
        return f"{self.login_url}/id/{org_id}/{user_id}"


@dataclass(frozen=True, slots=True)
class Hosts:
    """The addresses that the org is served at."""

    instance: str | Callable[[], str] = "https://localhost"
    """A callable where the port is not known yet."""
    logins: tuple[str, ...] = ()

    @property
    def instance_url(self) -> str:
        """The org's own base URL."""
        return (self.instance if isinstance(self.instance, str) else self.instance()).rstrip("/")

    def site(self, host: str) -> Site:
        """The addresses to answer with to a request for this host (the `Host` header)."""
        name = host.lower().partition(":")[0]
        if name == PRODUCTION_LOGIN:
            return Site(f"https://{name}", f"https://{MY_DOMAIN}", at_login=True)
        if name == SANDBOX_LOGIN:
            return Site(f"https://{name}", f"https://{SANDBOX_DOMAIN}", at_login=True)
        if name.endswith(_MY_DOMAINS):
            login = SANDBOX_LOGIN if name.endswith(f".sandbox{_MY_DOMAINS}") else PRODUCTION_LOGIN
            return Site(f"https://{login}", f"https://{name}", at_login=False)
        instance = self.instance_url
        logins = [url.rstrip("/") for url in self.logins] or [instance]
        places = {_place(urlsplit(url).netloc) for url in logins} - {_place(urlsplit(instance).netloc)}
        return Site(logins[0], instance, at_login=_place(host) in places)

    def audiences(self, *, my_domain: bool) -> tuple[str, ...]:
        """What `aud` of an assertion may say."""
        own = (self.instance_url, f"https://{MY_DOMAIN}", f"https://{SANDBOX_DOMAIN}") if my_domain else ()
        return (*LOGIN_AUDIENCES, *(url.rstrip("/") for url in self.logins), *own)


def _place(netloc: str) -> str:
    """Host and port; the loopback address by its one name."""
    text = netloc.lower()
    for address in _LOOPBACK:
        if text == address or text.startswith(f"{address}:"):
            return f"localhost{text[len(address) :]}"
    return text
