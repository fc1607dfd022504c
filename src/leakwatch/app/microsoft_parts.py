"""Microsoft's side of one leakwatch: token, Graph client, Outlook mail as a source, the directory.

Nothing of msal or msgraph-sdk is imported before something is asked of Microsoft.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from leakwatch.app.building import Parts
from leakwatch.core.addresses import normalise
from leakwatch.errors import AuthError, ConfigError

if TYPE_CHECKING:
    from leakwatch.clients.limiter import Limiter
    from leakwatch.clients.microsoft import GraphClient
    from leakwatch.sources.outlook_mail import OutlookMailSource


@dataclass
class MicrosoftParts:
    """What reaches Microsoft 365, made when first asked for. `pacing` knows the provider `microsoft`."""

    parts: Parts
    pacing: Limiter

    @cached_property
    def client(self) -> GraphClient:
        """The authorised transport."""
        from leakwatch.clients.microsoft import CLOUDS, GraphClient, GraphConnection
        from leakwatch.clients.microsoft_tokens import Entra, TenantTokens
        from leakwatch.clients.retry import RetryPolicy
        from leakwatch.config import check_secret_file

        section, wall = self.parts.settings.microsoft, self.parts.wall
        path = section.certificate_file
        problems = check_secret_file(path, "microsoft.certificate_file") if path is not None else []
        login, graph = CLOUDS[section.cloud]
        if section.login_url is not None and not _is_host(section.login_url):
            problems.append(f"microsoft.login_url: give https://host, got {section.login_url!r}")
        if problems:
            raise ConfigError(problems)
        tokens = TenantTokens(
            Entra(
                tenant_id=section.tenant_id,
                client_id=section.client_id,
                login_url=section.login_url or login,
                resource=graph,
                certificate_file=path,
                client_secret=section.client_secret.get_secret_value() if section.client_secret is not None else None,
                ca_file=section.ca_bundle,
                known_authority=section.login_url is None,
            ),
            wall=wall,
        )
        client = GraphClient(
            GraphConnection(section.graph_url or graph, section.ca_bundle, section.in_flight),
            tokens=tokens,
            limiter=self.pacing,
            retry=RetryPolicy(wall.sleep),
            wall=wall,
        )
        self.parts.on_close(client.close)
        return client

    @cached_property
    def mail(self) -> Any:
        """The Outlook client."""
        from leakwatch.clients.microsoft_mail import OutlookClient

        return OutlookClient(self.client)

    @cached_property
    def users(self) -> Sequence[Mapping[str, Any]]:
        """Every user of the tenant that has a mail address, as a row of the directory (see `directory_row`).

        Raises:
            AuthError: the directory refuses us: without a roster no mailbox is read.
        """
        try:
            rows = [directory_row(user) for user in self.mail.users()]
        except AuthError as error:
            raise AuthError(
                f"the users of the tenant can't be read: {error} The application needs User.Read.All. Nothing was "
                "read.",
                reason=error.reason,
            ) from error
        return [row for row in rows if row is not None]

    def source(self) -> OutlookMailSource:
        """Return Outlook mail as a source of pages."""
        from leakwatch.sources.outlook_mail import OutlookMailSource, OutlookOptions

        privacy = self.parts.settings.capture.privacy
        options = OutlookOptions(
            opt_out_labels=privacy.opt_out_labels,
            only_labels=privacy.only_labels,
            own_domains=self.parts.settings.company.domains,
            page_size=self.parts.settings.microsoft.page_size,
        )
        return OutlookMailSource(self.mail, options)

    def allow(self, addresses: Iterable[str]) -> None:
        """Let the mailboxes of these addresses be opened, as far as the tenant has them, and nobody else's."""
        ids = {str(row["primaryEmail"]): str(row["id"]) for row in self.users}
        self.client.allow({one: ids[one] for one in addresses if one in ids})

    def addresses(self) -> frozenset[str]:
        """Return whose mailboxes the tenant has, by primary address."""
        return frozenset(str(row["primaryEmail"]) for row in self.users)


def directory_row(user: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a user of Graph in the words of the Directory API, which the roster is built from; None without mail.

    Guests have their mail elsewhere. A blocked sign-in counts as suspended: people who left, and shared mailboxes.
    """
    address = normalise(str(user.get("mail") or ""))
    if address is None or str(user.get("userType") or "Member").lower() == "guest":
        return None
    proxies = [str(one) for one in user.get("proxyAddresses") or ()]
    aliases = {one.partition(":")[2].strip().lower() for one in proxies if one.lower().startswith("smtp:")}
    return {
        "id": str(user.get("id") or ""),
        "primaryEmail": address,
        "aliases": sorted(aliases - {address}),
        "suspended": user.get("accountEnabled") is False,
        "name": {"fullName": str(user.get("displayName") or "")},
        "provider": "microsoft",
    }


def _is_host(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.netloc) and parts.path in ("", "/")
