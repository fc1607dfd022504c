"""Google's own Python client, unmodified, as the judge of the emulated Gmail and Directory."""

from __future__ import annotations

from typing import Any

import google_auth_httplib2
import httplib2
from google.oauth2 import service_account
from googleapiclient import discovery
from googleapiclient.http import BatchHttpRequest

from sandbox.server.harness import Running

READONLY = "https://www.googleapis.com/auth/gmail.readonly"
METADATA = "https://www.googleapis.com/auth/gmail.metadata"
USERS = "https://www.googleapis.com/auth/admin.directory.user.readonly"
ALIASES = "https://www.googleapis.com/auth/admin.directory.user.alias.readonly"


class Witness:
    """Builds services for delegated users."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.google = running.info["google"]
        self.world = running.control("GET", "/world")
        self._open: list[google_auth_httplib2.AuthorizedHttp] = []

    def close(self) -> None:
        """Let go of the connections."""
        for http in self._open:
            http.close()

    def user(self, ref: str) -> dict[str, Any]:
        return next(user for user in self.world["users"] if user["ref"] == ref)

    @property
    def rep(self) -> str:
        return self.user("@user:rep1")["email"]

    def http(self, subject: str | None, *scopes: str) -> google_auth_httplib2.AuthorizedHttp:
        credentials = service_account.Credentials.from_service_account_file(
            self.google["service_account_file"], scopes=list(scopes)
        )
        if subject is not None:
            credentials = credentials.with_subject(subject)
        plain = httplib2.Http(ca_certs=self.running.info["ca_file"], timeout=20)
        self._open.append(google_auth_httplib2.AuthorizedHttp(credentials, http=plain))
        return self._open[-1]

    def gmail(self, subject: str | None = None, *scopes: str) -> Any:
        http = self.http(subject or self.rep, *(scopes or (READONLY,)))
        options = {"api_endpoint": self.google["api_url"]}
        return discovery.build("gmail", "v1", http=http, client_options=options)

    def directory(self, subject: str | None = None, *scopes: str) -> Any:
        http = self.http(subject or self.google["admin_email"], *(scopes or (USERS, ALIASES)))
        options = {"api_endpoint": self.google["api_url"]}
        return discovery.build("admin", "directory_v1", http=http, client_options=options)

    def batch(self, callback: Any) -> BatchHttpRequest:
        return BatchHttpRequest(callback, batch_uri=self.google["batch_url"])

    def advance(self, **delta: float) -> list[dict[str, Any]]:
        seconds = delta.get("days", 0) * 86_400 + delta.get("hours", 0) * 3_600
        return self.running.control("POST", "/clock", {"advance_seconds": seconds})["played"]

    def all_history(self, gmail: Any, start: str, **more: Any) -> tuple[list[dict[str, Any]], str]:
        """Every record since `start`, page by page, and the history id to go on from."""
        records: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            answer = gmail.users().history().list(userId="me", startHistoryId=start, pageToken=token, **more).execute()
            records += answer.get("history", [])
            token = answer.get("nextPageToken")
            if token is None:
                return records, answer["historyId"]
