"""Entra's endpoints for applications: openid-configuration, and access tokens for client credentials. In wall time.

Sources: "Microsoft identity platform and the OAuth 2.0 client credentials flow", "Certificate credentials", and
"Microsoft Entra authentication and authorization error codes". Access tokens are signed, not stored, so that
restarting the sandbox loses none; they are Graph's to read, and nobody else's to look into.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Callable
from typing import Any

import jwt

from leakwatch.sandbox.clock import wall_seconds
from leakwatch.sandbox.microsoft.call import Caller
from leakwatch.sandbox.microsoft.consent import CLIENT_ID, OBJECT_ID, TENANT_ID, Application, Consent
from leakwatch.sandbox.microsoft.errors import GRAPH_APP_ID, TokenError, bad_token

#: "expires_in": 3599 in the documentation's answers.
TOKEN_LIFE = 3599

#: Entra lets clocks differ by five minutes.
SKEW = 300

RESOURCE = "https://graph.microsoft.com"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_PORTAL = "Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id"

#: The times of a token are judged by the wall time given here, not by the library's.
_NO_TIMES: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


class Entra:
    """One tenant's token endpoint."""

    def __init__(
        self,
        consent: Consent,
        domains: list[str],
        key: bytes,
        *,
        wall: Callable[[], float] = wall_seconds,
    ) -> None:
        self.consent = consent
        self.names = {TENANT_ID, *(domain.lower() for domain in domains)}
        self.wall = wall
        self.minted: dict[str, int] = {}
        self.not_before = 0.0
        self._key = hashlib.sha256(key).digest()

    # -- discovery ---------------------------------------------------------------------------------

    def configuration(self, tenant: str, origin: str) -> dict[str, Any]:
        """`/{tenant}/v2.0/.well-known/openid-configuration`."""
        self._tenant(tenant, "invalid_tenant")
        base = f"{origin}/{TENANT_ID}"
        return {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post", "private_key_jwt", "client_secret_basic", "self_signed_tls_client_auth",
            ],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}/v2.0",
            "request_uri_parameter_supported": False,
            "userinfo_endpoint": f"{RESOURCE}/oidc/userinfo",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "http_logout_supported": True,
            "frontchannel_logout_supported": True,
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }  # fmt: skip

    def _tenant(self, tenant: str, error: str) -> None:
        if tenant.lower() not in self.names:
            raise TokenError(
                400,
                error,
                90002,
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
                "the correct cloud. Check with your subscription administrator, this may happen if there are no "
                "active subscriptions for the tenant.",
            )

    # -- tokens ------------------------------------------------------------------------------------

    def exchange(self, tenant: str, form: dict[str, str], origin: str) -> dict[str, Any]:
        """Answer `POST /{tenant}/oauth2/v2.0/token`; raises TokenError."""
        self._tenant(tenant, "invalid_request")
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                text = f"The request body must contain the following parameter: '{name}'."
                raise TokenError(400, "invalid_request", 900144, text)
        if form["grant_type"] != "client_credentials":
            text = f"The app requested an unsupported grant type '{form['grant_type']}'."
            raise TokenError(400, "unsupported_grant_type", 70003, text)
        application = self._application(form["client_id"], tenant)
        self._check_scope(form["scope"], origin)
        self._check_credential(form, application, origin)
        self.minted[application.app_id] = self.minted.get(application.app_id, 0) + 1
        return {
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE,
            "ext_expires_in": TOKEN_LIFE,
            "access_token": self.seal(application, origin),
        }

    def _application(self, client_id: str, tenant: str) -> Application:
        if client_id.lower() != CLIENT_ID:
            raise TokenError(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen "
                "if the application has not been installed by the administrator of the tenant or consented to by any "
                "user in the tenant. You may have sent your authentication request to the wrong tenant.",
            )
        application = self.consent.application
        if not application.enabled:
            text = f"Application '{client_id}'({application.name}) is disabled."
            raise TokenError(400, "unauthorized_client", 7000112, text)
        return application

    def _check_scope(self, scope: str, origin: str) -> None:
        resource, dot, suffix = scope.strip().rpartition("/")
        if not dot or suffix != ".default" or " " in scope.strip():
            raise TokenError(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI).",
            )
        if resource.rstrip("/") not in (RESOURCE, GRAPH_APP_ID, origin):
            raise TokenError(
                400,
                "invalid_resource",
                500011,
                f"The resource principal named {resource} was not found in the tenant named {TENANT_ID}. This can "
                "happen if the application has not been installed by the administrator of the tenant or consented to "
                "by any user in the tenant. You might have sent your authentication request to the wrong tenant.",
            )

    def _check_credential(self, form: dict[str, str], application: Application, origin: str) -> None:
        if form.get("client_assertion"):
            self._check_assertion(form, application, origin)
            return
        given = form.get("client_secret")
        if not given:
            raise _client(
                7000216,
                "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
            )
        if not hmac.compare_digest(given.encode(), self.consent.secret.encode()):
            raise _client(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{application.app_id}'.",
            )
        if application.secret_expired:
            raise _client(
                7000222,
                f"The provided client secret keys for app '{application.app_id}' are expired. Visit the Azure portal "
                "to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate "
                "credentials for added security: https://aka.ms/certCreds.",
            )

    def _check_assertion(self, form: dict[str, str], application: Application, origin: str) -> None:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            text = "The request body must contain the following parameter: 'client_assertion_type'."
            raise TokenError(400, "invalid_request", 900144, text)
        assertion = form["client_assertion"]
        header: dict[str, Any] = {}
        try:
            header = jwt.get_unverified_header(assertion)
            self._check_key(header, application)
            claims: dict[str, Any] = jwt.decode(
                assertion,
                self.consent.public_key,
                algorithms=["RS256", "PS256"],
                options=_NO_TIMES | {"verify_aud": False},
            )
        except jwt.InvalidSignatureError:
            reason = "The provided signature value did not match the expected signature value."
            raise self._unsigned(application, reason, _thumbprint(header)) from None
        except jwt.PyJWTError as error:
            raise TokenError(400, "invalid_request", 50027, f"JWT token is invalid or malformed. {error}") from None
        self._check_claims(claims, application, origin)

    def _check_key(self, header: dict[str, Any], application: Application) -> None:
        """The key is found by the certificate's thumbprint, SHA-1 or SHA-256."""
        given = {name: header[name] for name in ("x5t", "x5t#S256") if header.get(name)}
        if not given:
            text = "Invalid JWT token. No certificate thumbprint specified in token header."
            raise TokenError(400, "invalid_request", 50027, text)
        known = application.certificate_registered and all(
            _bytes(str(value)) == self.consent.thumbprints[name] for name, value in given.items()
        )
        if not known:
            raise self._unsigned(application, "The key was not found.", _thumbprint(header))

    @staticmethod
    def _unsigned(application: Application, reason: str, thumbprint: str) -> TokenError:
        return _client(
            700027,
            "The certificate with identifier used to sign the client assertion is not registered on application. "
            f"[Reason - {reason}, Thumbprint of key used by client: '{thumbprint}', {_PORTAL} "
            f"'{application.app_id}'].",
        )

    def _check_claims(self, claims: dict[str, Any], application: Application, origin: str) -> None:
        bases = [f"{host}/{name}" for host in (origin, "https://login.microsoftonline.com") for name in self.names]
        wanted = {f"{base}{end}" for base in bases for end in ("/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "")}
        if str(claims.get("aud")) not in wanted:
            raise _client(
                700023,
                "Client assertion audience claim does not match Realm issuer. Review the documentation at "
                "https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials.",
            )
        if application.app_id not in (claims.get("iss"), claims.get("sub")) or claims.get("iss") != claims.get("sub"):
            raise _client(
                700021,
                "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation "
                "at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials.",
            )
        now = self.wall()
        try:
            begins, ends = float(claims.get("nbf", claims.get("iat", 0))), float(claims["exp"])
        except (KeyError, TypeError, ValueError):
            begins, ends = 0.0, 0.0
        if not begins - SKEW <= now < ends + SKEW:
            raise _client(700024, "Client assertion is not within its valid time range.")

    # -- access tokens -----------------------------------------------------------------------------

    def seal(self, application: Application, origin: str) -> str:
        """An access token that carries what the application was consented to by now."""
        now = int(self.wall())
        claims: dict[str, Any] = {
            "aud": RESOURCE, "iss": f"https://sts.windows.net/{TENANT_ID}/", "iat": now, "nbf": now,
            "exp": now + TOKEN_LIFE, "app_displayname": application.name, "appid": application.app_id,
            "appidacr": "1", "idtyp": "app", "oid": OBJECT_ID, "roles": sorted(application.roles), "sub": OBJECT_ID,
            "tid": TENANT_ID, "uti": uuid.uuid4().hex[:22], "ver": "1.0", "xms_sandbox": origin,
        }  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="HS256")

    def open(self, header: str) -> Caller:
        """Read an Authorization header; raises GraphError (401)."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise bad_token("Access token is empty.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token.strip(), self._key, algorithms=["HS256"], audience=RESOURCE, options=_NO_TIMES
            )
        except jwt.DecodeError as error:
            if isinstance(error, jwt.InvalidSignatureError):
                raise bad_token("Access token validation failure. Invalid signature.") from None
            raise bad_token("IDX14100: JWT is not well formed, there are no dots (.).") from None
        except jwt.PyJWTError:
            raise bad_token("Access token validation failure. Invalid audience.") from None
        if claims["exp"] <= self.wall() or claims["iat"] < self.not_before:
            raise bad_token("Lifetime validation failed, the token is expired.")
        if not self.consent.application.enabled:
            raise bad_token("Access token validation failure. The application is disabled.")
        return Caller(str(claims["appid"]), frozenset(claims["roles"]))

    def expire_all(self) -> None:
        """Refuse every token given so far."""
        self.not_before = self.wall()


def _client(number: int, text: str) -> TokenError:
    return TokenError(401, "invalid_client", number, text)


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _thumbprint(header: dict[str, Any]) -> str:
    return _bytes(str(header.get("x5t") or header.get("x5t#S256") or "")).hex().upper()
