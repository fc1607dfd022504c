"""What a served sandbox tells: sandbox.json, with every secret a client needs, and the words on the terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from leakwatch.sandbox.clock import format_instant
from leakwatch.sandbox.keys import PROJECT, Keys, write_private
from leakwatch.sandbox.microsoft.consent import CLIENT_ID, TENANT_ID
from leakwatch.sandbox.org.identity.hosts import MY_DOMAIN, PRODUCTION_LOGIN
from leakwatch.sandbox.proxy import NAMES
from leakwatch.sandbox.stage import Stage
from leakwatch.sandbox.world.seed import CUSTOMER

#: So many users are named on the terminal; the file names all.
_USERS_SHOWN = 10


def card(stage: Stage, salesforce: dict[str, Any], keys: Keys, urls: dict[str, str], token: str) -> dict[str, Any]:
    """The content of sandbox.json.

    Args:
        stage: What is served.
        salesforce: `SalesforceSide.card`.
        keys: The folder's keys.
        urls: Base URL by server: salesforce, login, control, and google, microsoft and proxy where they are served.
        token: The control API's bearer token.
    """
    world = stage.world
    return {
        "ca_file": str(keys.ca),
        "salesforce": salesforce,
        "google": _google(stage, keys, urls["google"]) if "google" in urls else None,
        "microsoft": _microsoft(stage, keys, urls["microsoft"]) if "microsoft" in urls else None,
        "proxy": _proxy(urls["proxy"]) if "proxy" in urls else None,
        "control": {"url": urls["control"], "token": token},
        "world": {
            "name": world.name,
            "seed": world.seed,
            "start": format_instant(world.start),
            "now": format_instant(stage.clock.now()),
            "days": world.days,
            "time_zone": world.company["time_zone"],
        },
        "pid": os.getpid(),
    }


def _google(stage: Stage, keys: Keys, url: str) -> dict[str, Any]:
    world = stage.world
    admin = next((u for u in world.users if (u.get("google") or {}).get("admin")), None)
    return {
        "service_account_file": str(keys.service_account),
        "api_url": url,
        "batch_url": f"{url}/batch/gmail/v1",
        "calendar_url": f"{url}/calendar/v3/",
        "calendar_batch_url": f"{url}/batch/calendar/v3",
        "pubsub_url": url,
        "project": PROJECT,
        "token_uri": f"{url}/token",
        "admin_email": admin["email"] if admin else None,
        "customer": CUSTOMER,
        "domain": world.company["domains"][0],
        "domains": world.company["domains"],
        "scopes": world.delegation,
    }


def _microsoft(stage: Stage, keys: Keys, url: str) -> dict[str, Any]:
    """The tenant and its one application; the certificate is the one that Salesforce's connected app knows."""
    world = stage.world
    return {
        "graph_url": f"{url}/v1.0",
        "authority": f"{url}/{TENANT_ID}",
        "tenant_id": TENANT_ID,
        "client_id": CLIENT_ID,
        "client_secret": keys.secret("microsoft-client"),
        "private_key_file": str(keys.client_key),
        "certificate_file": str(keys.client_certificate),
        "scope": "https://graph.microsoft.com/.default",
        "domain": world.company["domains"][0],
        "domains": world.company["domains"],
        "mailboxes": [user["email"] for user in world.users if user.get("microsoft") is not None],
    }


def _proxy(url: str) -> dict[str, Any]:
    """The addresses that are good behind the proxy."""
    login = f"https://{PRODUCTION_LOGIN}"
    return {
        "url": url,
        "login_url": login,
        "instance_url": f"https://{MY_DOMAIN}",
        "audience": login,
        "hosts": list(NAMES),
    }


def write(content: dict[str, Any], *paths: Path) -> None:
    """Write sandbox.json to these places, each whole or not at all; the last is the one that is waited for."""
    data = json.dumps(content, indent=2, ensure_ascii=False).encode()
    for path in paths:
        temporary = path.with_name(path.name + ".new")
        write_private(temporary, data)
        temporary.replace(path)


def served(content: dict[str, Any], info: Path) -> dict[str, Any]:
    """What is served and where, without any secret."""
    org = content["salesforce"]
    places = {"salesforce": org["instance_url"], "login": org["login_url"]}
    places |= {"google": content["google"]["api_url"]} if content["google"] else {}
    places |= {"microsoft": content["microsoft"]["graph_url"]} if content["microsoft"] else {}
    places |= {"control": content["control"]["url"]}
    places |= {"proxy": content["proxy"]["url"]} if content["proxy"] else {}
    return {
        "world": content["world"],
        "pid": content["pid"],
        **places,
        "ca_file": content["ca_file"],
        "username": org["username"],
        "users": [user["username"] for user in org["users"]],
        "info": str(info),
    }


def words(content: dict[str, Any], info: Path) -> str:
    """The same in plain words, with a token to begin with."""
    world, org, told = content["world"], content["salesforce"], served(content, info)
    lines = [f"sandbox ready: world {world['name']} (seed {world['seed']}), clock {world['now']}"]
    lines += [
        f"{name:<12}{told[name]}"
        for name in ("salesforce", "login", "google", "microsoft", "control", "proxy")
        if name in told
    ]
    if org["instance_url"].startswith("https://"):
        lines.append(f"{'CA file':<12}{told['ca_file']}")
    lines.append(f"{'acts as':<12}{org['username']}")
    shown, rest = told["users"][:_USERS_SHOWN], len(told["users"]) - _USERS_SHOWN
    lines.append(f"{'users':<12}{', '.join(shown)}{f' and {rest} more' if rest > 0 else ''}")
    lines.append(f"{'client id':<12}{org['client_id']}")
    tenant = content["microsoft"]
    if tenant and tenant["mailboxes"]:
        lines.append(f"{'tenant':<12}{tenant['tenant_id']}, application {tenant['client_id']}")
    lines.append(f"{'token':<12}{org['access_token']}")
    lines.append(f"{'info':<12}{told['info']} (client secret, refresh token, keys; for your eyes only)")
    return "\n".join(lines)
