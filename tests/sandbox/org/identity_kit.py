"""What the tests of the authorization server share: an org with three users, and a client of its two hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from leakwatch.sandbox.org.facade import Org, OrgSettings
from leakwatch.sandbox.org.identity.grants import JWT_BEARER
from leakwatch.sandbox.org.rest import build_app
from sandbox.org.org_kit import Clock, TestClient

LOGIN, INSTANCE = "https://localhost:8443", "https://localhost:9443"
WALL = 1_900_000_000.0
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
JANE, MAYA, LEE = "jane.doe@acme.example", "maya.stone@acme.example", "lee.gone@acme.example"
SECRET = "correct horse"
PATH = "/services/data/v66.0/limits"


class Login:
    """An org with the apps `app` and `other`, at a wall time of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wall = WALL
        self.ids: dict[str, str] = {}
        self.open()
        for name, active in ((JANE, True), (MAYA, True), (LEE, False)):
            self.ids[name] = self.org.new_id("User")
            first, last = name.partition("@")[0].title().split(".")
            self.org.seed(
                "User",
                [
                    {
                        "Id": self.ids[name], "FirstName": first, "LastName": last, "Username": name, "Email": name,
                        "Alias": first[:8], "IsActive": active, "TimeZoneSidKey": "Europe/Berlin",
                        "LocaleSidKey": "de_DE", "LanguageLocaleKey": "de", "UserType": "Standard",
                    }
                ],
            )  # fmt: skip
        self.org.register_app("app", PUBLIC_PEM.decode(), ["Jane.Doe@acme.example", LEE], secret=SECRET, run_as=JANE)
        self.org.register_app("other", PUBLIC_PEM.decode(), [JANE], secret="battery staple")

    def open(self) -> None:
        """Open the folder, as a starting sandbox does."""
        self.org = Org(self.folder, Clock(), settings=OrgSettings(time_zone="Europe/Istanbul"))
        app = build_app(
            self.org, instance_url=lambda: f"{INSTANCE}/", login_hosts=[LOGIN], wall_clock=lambda: self.wall
        )
        self.login = TestClient(app, base_url=LOGIN)
        self.http = TestClient(app, base_url=INSTANCE)

    def token(self, *, at: str = "instance", basic: tuple[str, str] | None = None, **form: str) -> Any:
        """Ask the token endpoint of one of the two hosts."""
        client = self.login if at == "login" else self.http
        return client.post("/services/oauth2/token", data=form, auth=basic)

    def ask(self, key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> Any:
        """Ask with a signed assertion, at the login host."""
        base = {"iss": "app", "sub": JANE, "aud": "https://login.salesforce.com", "exp": int(self.wall) + 180}
        wanted = {name: value for name, value in (base | claims).items() if value is not None}
        signed = jwt.encode(wanted, key, algorithm=algorithm)
        return self.token(at="login", grant_type=JWT_BEARER, assertion=signed)

    def refresh(self, token: str, **more: str) -> Any:
        """Ask with a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", "client_secret": SECRET}
        return self.token(at="login", **(form | more))

    def call(self, token: str | None, path: str = PATH) -> Any:
        """A call of the data API."""
        return self.http.get(path, headers={"Authorization": f"Bearer {token}"} if token else {})


def refusal(error: str, description: str) -> dict[str, str]:
    """The body of a refusal of the token endpoint."""
    return {"error": error, "error_description": description}
