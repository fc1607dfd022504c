"""Joining the emulated Salesforce org to the sandbox's world, keys and servers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leakwatch.sandbox.clock import VirtualClock
from leakwatch.sandbox.keys import Keys
from leakwatch.sandbox.org.facade import Org, OrgSettings
from leakwatch.sandbox.org.identity.apps import App
from leakwatch.sandbox.world.model import Json, World

#: The consumer key of the sandbox's connected app.
CLIENT_ID = "3MVG9.leakwatch.sandbox.client"
_SCOPES = ("id", "api", "refresh_token")


@dataclass(slots=True)
class SalesforceSide:
    """The org with what a client needs to reach it."""

    org: Org
    world: World

    @property
    def username(self) -> str:
        """Whom leakwatch acts as."""
        user = next((u for u in self.world.users if u["role"] == "integration"), self.world.users[0])
        return str(user.get("username", user["email"]))

    def build(self, url: str, login_url: str, keys: Keys) -> Any:
        """The ASGI application of login host and org, which are told apart by the address that is called."""
        from leakwatch.sandbox.org.rest import build_app

        certificate = keys.client_certificate.read_text(encoding="ascii")
        apps = self.org.identity.apps
        before = apps.get(CLIENT_ID)
        if before is None:  # set up as Salesforce recommends: an administrator approves who may use it
            users = (self.username,)
            before = App(CLIENT_ID, users=users, run_as=self.username, policy="admin_approved", scopes=_SCOPES)
        apps.put(replace(before, certificate=certificate, secret=keys.secret("salesforce-client")))
        return build_app(self.org, instance_url=url, login_hosts=[login_url])

    def card(self, url: str, login_url: str, keys: Keys) -> Json:
        """The part of sandbox.json that is about Salesforce, with a fresh access token and refresh token."""
        users = self.org.query("SELECT Id, Username, Name, IsActive FROM User WHERE Username != null ORDER BY Username")
        user_id = next(user["Id"] for user in users if user["Username"].casefold() == self.username.casefold())
        refresh = self.org.identity.refresh_tokens.issue(user_id, CLIENT_ID, " ".join(_SCOPES))
        session = self.org.sessions.open(user_id, CLIENT_ID, scope=refresh.scope)
        return {
            "login_url": login_url,
            "instance_url": url,
            "client_id": CLIENT_ID,
            "client_secret": keys.secret("salesforce-client"),
            "username": self.username,
            "private_key_file": str(keys.client_key),
            "audience": login_url,
            "org_id": self.org.settings.org_id,
            "user_id": user_id,
            "access_token": session.token,
            "refresh_token": refresh.token,
            "users": [
                {"id": user["Id"], "username": user["Username"], "name": user["Name"], "active": user["IsActive"]}
                for user in users
            ],
        }


def open_org(folder: Path, clock: VirtualClock, world: World, *, fresh: bool, deploy: Path | None) -> SalesforceSide:
    """The org of a folder; a fresh one gets the world's fields, stages and currencies."""
    company = world.company
    settings = OrgSettings(
        name=company["name"],
        currency=company["currency"],
        multicurrency=bool(company.get("currencies")),
        person_accounts=company.get("person_accounts", False),
        shared_activities=company.get("shared_activities", False),
        time_zone=company["time_zone"],
        locale=company.get("locale", "en_US"),
        language=company.get("language", "en_US"),
        fiscal_year_start_month=int(company.get("fiscal_year_start_month", 1)),
        field_history=company.get("field_history", {}),
        app_names={CLIENT_ID: "leakwatch"},
    )
    folder.mkdir(parents=True, exist_ok=True)
    org = Org(folder, clock, settings=settings)
    if fresh:
        _set_up(org, world, deploy)
    return SalesforceSide(org, world)


def _set_up(org: Org, world: World, deploy: Path | None) -> None:
    for sobject, fields in world.custom_fields.items():
        for field in fields:
            org.add_custom_field(sobject, _metadata(field))
    if deploy is not None:
        org.deploy(deploy)
    org.seed("OpportunityStage", [_stage(index, stage) for index, stage in enumerate(world.stages, 1)])
    org.seed("LeadStatus", [_lead_status(index, status) for index, status in enumerate(world.lead_statuses, 1)])
    if world.company.get("currencies"):
        org.seed("CurrencyType", list(_currencies(world)))


def _metadata(field: Json) -> Json:
    """A custom field in the Metadata API's words."""
    names = {"name": "fullName", "label": "label", "type": "type", "length": "length"}
    names |= {"precision": "precision", "scale": "scale", "values": "values"}
    return {names[key]: value for key, value in field.items() if key in names}


def _stage(order: int, stage: Json) -> Json:
    forecast = stage.get("forecast", "Omitted" if stage["is_closed"] and not stage["is_won"] else "Pipeline")
    return {
        "ApiName": stage["value"],
        "MasterLabel": stage.get("label", stage["value"]),
        "SortOrder": order,
        "IsActive": True,
        "IsClosed": stage["is_closed"],
        "IsWon": stage["is_won"],
        "DefaultProbability": stage.get("probability", 0),
        "ForecastCategory": forecast,
        "ForecastCategoryName": forecast,
    }


def _lead_status(order: int, status: Json) -> Json:
    return {
        "ApiName": status["value"],
        "MasterLabel": status.get("label", status["value"]),
        "SortOrder": order,
        "IsConverted": status.get("is_converted", False),
        "IsDefault": status.get("is_default", False),
    }


def _currencies(world: World) -> list[Json]:
    own = world.company["currency"]
    return [
        {
            "IsoCode": code,
            "ConversionRate": rate,
            "IsCorporate": code == own,
            "IsActive": True,
            "DecimalPlaces": 2,
        }
        for code, rate in world.company["currencies"].items()
    ]
