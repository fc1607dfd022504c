"""Who somebody is: the bodies of `/services/oauth2/userinfo` (OpenID Connect) and of the identity URL.

Keys are those of the help's "UserInfo Endpoint" and "Identity URLs".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from leakwatch.sandbox.org.identity.hosts import Site
from leakwatch.sandbox.org.settings import OrgSettings

User = Mapping[str, Any]
#: URL templates; `{version}` is left for the caller to fill in unless it asked for a version.
_PATHS = {
    "enterprise": "/services/Soap/c/{version}/",
    "metadata": "/services/Soap/m/{version}/",
    "partner": "/services/Soap/u/{version}/",
    "rest": "/services/data/v{version}/",
    "sobjects": "/services/data/v{version}/sobjects/",
    "search": "/services/data/v{version}/search/",
    "query": "/services/data/v{version}/query/",
    "recent": "/services/data/v{version}/recent/",
    "tooling_soap": "/services/Soap/T/{version}/",
    "tooling_rest": "/services/data/v{version}/tooling/",
    "feeds": "/services/data/v{version}/chatter/feeds",
    "groups": "/services/data/v{version}/chatter/groups",
    "users": "/services/data/v{version}/chatter/users",
    "feed_items": "/services/data/v{version}/chatter/feed-items",
    "feed_elements": "/services/data/v{version}/chatter/feed-elements",
}
_WITH_ORG = ("enterprise", "metadata", "partner", "tooling_soap")


def urls(site: Site, org_id: str, user_id: str, version: str | None) -> dict[str, str]:
    """Where the org's APIs are."""
    found = {
        name: f"{site.instance_url}{path}{org_id[:15] if name in _WITH_ORG else ''}" for name, path in _PATHS.items()
    }
    found |= {"profile": f"{site.instance_url}/{user_id}", "custom_domain": site.instance_url}
    return {name: url.replace("{version}", version) if version else url for name, url in found.items()}


def userinfo(user: User, settings: OrgSettings, site: Site, now: datetime) -> dict[str, Any]:
    """The body of userinfo; `now` settles the time zone's standard offset."""
    user_id = str(user["Id"])
    photos = _photos(site, user_id)
    return {
        "sub": site.identity_url(settings.org_id, user_id),
        "user_id": user_id,
        "organization_id": settings.org_id,
        "preferred_username": user.get("Username"),
        "nickname": _nickname(user),
        "name": user.get("Name"),
        "email": user.get("Email"),
        "email_verified": True,
        "given_name": user.get("FirstName"),
        "family_name": user.get("LastName"),
        "zoneinfo": user.get("TimeZoneSidKey") or settings.time_zone,
        "photos": photos,
        "profile": f"{site.instance_url}/{user_id}",
        "picture": photos["picture"],
        "address": _address(user),
        "urls": urls(site, settings.org_id, user_id, None),
        **_common(user, settings, now),
        "updated_at": user.get("LastModifiedDate"),
    }


def identity(
    user: User, settings: OrgSettings, site: Site, now: datetime, *, asserted: bool, version: str | None
) -> dict[str, Any]:
    """The body of the identity URL; `asserted`: the token is the user's own."""
    user_id = str(user["Id"])
    return {
        "id": site.identity_url(settings.org_id, user_id),
        "asserted_user": asserted,
        "user_id": user_id,
        "organization_id": settings.org_id,
        "username": user.get("Username"),
        "nick_name": _nickname(user),
        "display_name": user.get("Name"),
        "email": user.get("Email"),
        "email_verified": True,
        "first_name": user.get("FirstName"),
        "last_name": user.get("LastName"),
        "timezone": user.get("TimeZoneSidKey") or settings.time_zone,
        "photos": _photos(site, user_id),
        "addr_street": user.get("Street"),
        "addr_city": user.get("City"),
        "addr_state": user.get("State"),
        "addr_country": user.get("Country"),
        "addr_zip": user.get("PostalCode"),
        "mobile_phone": user.get("MobilePhone"),
        "mobile_phone_verified": False,
        "is_lightning_login_user": False,
        "status": {"created_date": None, "body": None},
        "urls": urls(site, settings.org_id, user_id, version),
        **_common(user, settings, now),
        "last_modified_date": user.get("LastModifiedDate"),
    }


def _common(user: User, settings: OrgSettings, now: datetime) -> dict[str, Any]:
    locale = user.get("LocaleSidKey") or settings.locale
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(user.get("UserType") or "Standard")).upper()
    return {
        "active": bool(user.get("IsActive")),
        "user_type": kind,
        "language": user.get("LanguageLocaleKey") or settings.language,
        "locale": locale,
        "utcOffset": _offset(user.get("TimeZoneSidKey") or settings.time_zone, settings.time_zone, now),
        "is_app_installed": True,
    }


def _offset(name: str, otherwise: str, now: datetime) -> int:
    """The time zone's standard offset in milliseconds; daylight saving is no part of it."""
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError):  # User.TimeZoneSidKey takes any text here
        zone = ZoneInfo(otherwise)
    local = now.astimezone(zone)
    offset, saving = local.utcoffset(), local.dst()
    standard = (offset.total_seconds() if offset else 0) - (saving.total_seconds() if saving else 0)
    return int(standard * 1000)


def _nickname(user: User) -> Any:
    return user.get("CommunityNickname") or user.get("Alias")


def _photos(site: Site, user_id: str) -> dict[str, str]:
    return {
        "picture": f"{site.instance_url}/profilephoto/{user_id[:15]}/F",
        "thumbnail": f"{site.instance_url}/profilephoto/{user_id[:15]}/T",
    }


def _address(user: User) -> dict[str, Any]:
    names = {"street_address": "Street", "locality": "City", "region": "State", "postal_code": "PostalCode"}
    return {key: user[name] for key, name in (names | {"country": "Country"}).items() if user.get(name)}
