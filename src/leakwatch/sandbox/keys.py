"""What a sandbox needs to be trusted: a development CA, key pairs, secrets. Files of mode 0600 in its folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from leakwatch.sandbox.proxy import NAMES

#: RSA size for signing JWTs: what both vendors issue and accept.
RSA_BITS = 2048

PROJECT = "leakwatch-sandbox"
#: Whom the servers' certificate is good for: this machine, and the names that the sandbox's proxy sends to it.
SERVER_NAMES = ("localhost", "127.0.0.1", "::1", *NAMES)
SERVICE_ACCOUNT_EMAIL = f"leakwatch@{PROJECT}.iam.gserviceaccount.com"
SERVICE_ACCOUNT_ID = "108000000000000000001"


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    path.chmod(0o600)


@dataclass(frozen=True, slots=True)
class Keys:
    """Where everything lies."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The CA certificate that clients are given."""
        return self.folder / "ca.pem"

    @property
    def server(self) -> Path:
        """Certificate chain and key of the servers."""
        return self.folder / "keys" / "server.pem"

    @property
    def client_key(self) -> Path:
        """The private key that a client signs its Salesforce JWT with."""
        return self.folder / "salesforce-client.key"

    @property
    def client_certificate(self) -> Path:
        """The certificate that the connected app knows."""
        return self.folder / "salesforce-client.crt"

    @property
    def service_account(self) -> Path:
        """The service account's key file in Google's format."""
        return self.folder / "google-service-account.json"

    @property
    def service_account_key(self) -> Path:
        """The service account's key alone."""
        return self.folder / "keys" / "google.key"

    def secret(self, name: str) -> str:
        """A random secret that stays the same for this folder."""
        path = self.folder / "keys" / f"{name}.secret"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32).encode())
        return path.read_text(encoding="ascii").strip()

    def ensure(self) -> None:
        """Create what is missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.ca.exists() or not self.server.exists() or not self._has_every_name():
            self._make_ca()
        if not self.client_key.exists() or not self.client_certificate.exists():
            key, certificate = _key_pair("leakwatch sandbox client")
            write_private(self.client_key, key)
            write_private(self.client_certificate, certificate)
        if not self.service_account_key.exists():
            write_private(self.service_account_key, _pem(_new_key()))

    def _has_every_name(self) -> bool:
        """Whether the certificate is good for `SERVER_NAMES`: that of an older folder is not."""
        pem = self.server.read_bytes()
        leaf = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE") :])
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
        return known >= set(SERVER_NAMES)

    def _make_ca(self) -> None:
        """A CA for this folder alone: its key is thrown away once it has signed the servers' certificate."""
        authority = trustme.CA(organization_name="leakwatch sandbox")
        leaf = authority.issue_cert(*SERVER_NAMES)
        write_private(self.ca, authority.cert_pem.bytes())
        write_private(self.server, leaf.private_key_and_cert_chain_pem.bytes())

    def public_key(self) -> str:
        """The service account's public key as PEM."""
        key = serialization.load_pem_private_key(self.service_account_key.read_bytes(), None)
        return (
            key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode("ascii")
        )

    def write_service_account(self, token_uri: str) -> None:
        """Write the key file, pointing at the sandbox's token endpoint."""
        body: dict[str, Any] = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": self.secret("google-key-id")[:40],
            "private_key": self.service_account_key.read_text(encoding="ascii"),
            "client_email": SERVICE_ACCOUNT_EMAIL,
            "client_id": SERVICE_ACCOUNT_ID,
            "auth_uri": token_uri.replace("/token", "/o/oauth2/auth"),
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        }
        write_private(self.service_account, json.dumps(body, indent=2).encode())


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_pair(name: str) -> tuple[bytes, bytes]:
    key = _new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    return _pem(key), certificate.public_bytes(serialization.Encoding.PEM)
