"""Microsoft's own libraries, unmodified, as judges over HTTPS: msal asks for tokens, msgraph-sdk reads the bodies."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msal
import pytest
import uvicorn
from kiota_abstractions.authentication import AccessTokenProvider, BaseBearerTokenAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.users.item.calendar_view.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.users.item.messages.messages_request_builder import MessagesRequestBuilder
from msgraph.generated.users.item.online_meetings.online_meetings_request_builder import OnlineMeetingsRequestBuilder

from leakwatch.sandbox.keys import Keys
from leakwatch.sandbox.microsoft.app import build_app
from leakwatch.sandbox.microsoft.consent import CLIENT_ID, TENANT_ID
from leakwatch.sandbox.wire import https_server, listen
from sandbox.microsoft.tenant_desk import ANN, BOB, IMMUTABLE, SECRET, TenantDesk
from sandbox.microsoft.test_graph_calendar import TEAMS, weekly
from sandbox.microsoft.test_graph_mail import INVITATION

#: The SDK warns of its own classes.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

SCOPE = "https://graph.microsoft.com/.default"


class Served:
    """A tenant behind a real HTTPS server in a thread of this process."""

    def __init__(self, desk: TenantDesk, keys: Keys) -> None:
        self.desk = desk
        self.keys = keys
        desk.graph.entra.wall = desk.graph.wall = lambda: desk.now
        socket = listen(0)
        self.url = f"https://localhost:{socket.getsockname()[1]}"
        self.server: uvicorn.Server = https_server(build_app(desk.graph), keys.server)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve(sockets=[socket])), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(10)

    def application(self, credential: Any) -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            CLIENT_ID, credential, authority=f"{self.url}/{TENANT_ID}", instance_discovery=False,
            verify=str(self.keys.ca),
        )  # fmt: skip

    def token(self) -> dict[str, Any]:
        return self.application(SECRET).acquire_token_for_client([SCOPE])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Served]:
    import time

    with pytest.MonkeyPatch.context() as patch:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            patch.delenv(name, raising=False)
        desk = TenantDesk(tmp_path_factory.mktemp("served"), keys.client_certificate.read_bytes())
        desk.now = time.time()  # msal signs with the machine's time
        desk.mail(subject="Hello", cc=["cc@customer.example"])
        desk.mail(**INVITATION)
        one = Served(desk, keys)
        yield one
        one.stop()
        desk.close()


def test_msal_gets_tokens_by_secret_and_by_certificate_and_keeps_them(served: Served) -> None:
    app = served.application(SECRET)
    assert app.acquire_token_for_client([SCOPE])["token_source"] == "identity_provider"
    assert app.acquire_token_for_client([SCOPE])["token_source"] == "cache"
    pair = {"private_key": served.keys.client_key.read_text(), "public_certificate": _text(served.keys)}
    assert "access_token" in served.application(pair).acquire_token_for_client([SCOPE])


def _text(keys: Keys) -> str:
    return Path(keys.client_certificate).read_text(encoding="ascii")


def test_msal_hands_on_what_entra_refuses(served: Served) -> None:
    refused = served.application("wrong").acquire_token_for_client([SCOPE])
    assert (refused["error"], refused["error_codes"]) == ("invalid_client", [7000215])
    assert refused["error_description"].startswith("AADSTS7000215")
    assert refused["correlation_id"]


def trusted(served: Served) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(served.keys.ca))


class _Tokens(AccessTokenProvider):
    def __init__(self, token: str) -> None:
        self.token = token

    async def get_authorization_token(self, uri: str, additional: dict[str, Any] | None = None) -> str:
        return self.token

    def get_allowed_hosts_validator(self) -> Any:
        return None


def with_sdk(served: Served, work: Callable[[GraphServiceClient], Awaitable[Any]]) -> Any:
    """Run work with the SDK's typed client."""
    token = served.token()["access_token"]

    async def run() -> Any:
        async with httpx.AsyncClient(verify=trusted(served), trust_env=False) as client:
            provider = BaseBearerTokenAuthenticationProvider(_Tokens(token))
            adapter = GraphRequestAdapter(provider, client=client)
            adapter.base_url = f"{served.url}/v1.0"
            return await work(GraphServiceClient(request_adapter=adapter))

    return asyncio.run(run())


def test_the_sdks_typed_builders_read_users_folders_messages_and_changes(served: Served) -> None:
    async def work(client: GraphServiceClient) -> None:
        users = await client.users.get()
        assert users is not None
        assert [user.mail for user in users.value or []][:2] == [ANN, BOB]
        person = client.users.by_user_id(ANN)
        folders = await person.mail_folders.get()
        assert folders is not None
        counts = {folder.display_name: folder.total_item_count for folder in folders.value or []}
        assert counts["Inbox"] == 2
        page = await person.messages.get()
        assert page is not None
        invitation, hello = page.value or []
        assert type(invitation).__name__ == "EventMessageRequest"
        assert invitation.meeting_message_type.value == "meetingRequest"  # type: ignore[attr-defined]
        assert hello.from_ is not None
        assert hello.received_date_time is not None
        assert hello.received_date_time.isoformat() == "2026-03-02T08:01:00+00:00"
        assert set(hello.additional_data) == {"@odata.etag"}
        assert (hello.is_read, hello.importance.value) == (False, "normal")
        assert hello.cc_recipients[0].email_address.address == "cc@customer.example"  # type: ignore[index,union-attr]
        inbox = person.mail_folders.by_mail_folder_id("inbox")
        first = await inbox.messages.delta.get()
        assert first is not None
        served.desk.exchange.move(ANN, served.desk.exchange.find(ANN, "m1.1@mail.customer.example")[0], "trash")
        later = await inbox.messages.delta.with_url(first.odata_delta_link or "").get()
        assert later is not None
        assert [one.additional_data["@removed"]["reason"] for one in later.value or []] == ["deleted"]

    with_sdk(served, work)


def test_the_sdk_gives_the_code_and_the_location_of_an_expired_token(served: Served) -> None:
    async def work(client: GraphServiceClient) -> ODataError:
        inbox = client.users.by_user_id(BOB).mail_folders.by_mail_folder_id("inbox")
        first = await inbox.messages.delta.get()
        assert first is not None
        served.desk.graph.expire_deltas(BOB)
        with pytest.raises(ODataError) as caught:
            await inbox.messages.delta.with_url(first.odata_delta_link or "").get()
        return caught.value

    error = with_sdk(served, work)
    assert (error.response_status_code, error.error.code) == (410, "SyncStateNotFound")
    assert error.response_headers["location"].endswith("?$deltatoken=")


def test_a_query_of_the_sdk_is_understood_as_it_writes_it(served: Served) -> None:
    async def work(client: GraphServiceClient) -> Any:
        query = MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(
            filter="receivedDateTime ge 2026-03-01T00:00:00Z", orderby=["receivedDateTime"], select=["subject"], top=1
        )
        configuration = MessagesRequestBuilder.MessagesRequestBuilderGetRequestConfiguration(query_parameters=query)
        configuration.headers.add("Prefer", IMMUTABLE["Prefer"])
        return await client.users.by_user_id(ANN).messages.get(request_configuration=configuration)

    page = with_sdk(served, work)
    assert [one.subject for one in page.value] == ["Hello"]
    assert page.value[0].id.startswith("AAkALg")
    assert page.odata_next_link.startswith(f"{served.url}/v1.0/users/")


def test_over_the_wire_the_fifth_request_at_once_in_a_mailbox_is_throttled(served: Served) -> None:
    served.desk.graph.settings.change({"latency_ms": 200})
    headers = {"Authorization": f"Bearer {served.token()['access_token']}"}

    async def run() -> list[int]:
        async with httpx.AsyncClient(verify=trusted(served), trust_env=False, headers=headers) as client:
            url = f"{served.url}/v1.0/users/{BOB}/messages"
            answers = await asyncio.gather(*(client.get(url, timeout=30) for _ in range(5)))
            return sorted(answer.status_code for answer in answers)

    try:
        assert asyncio.run(run()) == [200] * 4 + [429]
    finally:
        served.desk.graph.settings.change({"latency_ms": 0})


def test_the_sdks_typed_builders_read_events_their_changes_attendance_and_call_records(served: Served) -> None:
    desk = served.desk
    weekly(desk, conferenceData={"entryPoints": [{"uri": TEAMS}]}, visibility="private", description="Hello")
    spans = [["2026-03-01T07:00:00Z", "2026-03-01T07:20:00Z"]]
    people = [{"email": BOB, "role": "Presenter", "joined": spans}]
    desk.graph.teams.record_attendance(join_url=TEAMS, attendees=people)
    times = {"start": "2026-03-01T07:00:00Z", "end": "2026-03-01T07:30:00Z"}
    key = desk.graph.teams.record_call(participants=[ANN, BOB], **times)["id"]

    async def work(client: GraphServiceClient) -> None:
        person = client.users.by_user_id(ANN)
        query = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(
            start_date_time="2026-03-01T00:00:00Z", end_date_time="2026-04-01T00:00:00Z"
        )
        first = await person.calendar_view.delta.get(RequestConfiguration(query_parameters=query))
        assert first is not None
        master, *thin = first.value or []
        assert [one.type.value for one in thin] == ["occurrence"] * 4  # type: ignore[union-attr]
        assert {one.series_master_id for one in thin} == {master.id}
        event = await person.events.by_event_id(str(thin[1].id)).get()
        assert event is not None
        assert event.i_cal_u_id != master.i_cal_u_id
        assert event.start is not None
        assert (event.start.date_time, event.start.time_zone) == ("2026-03-10T07:00:00.0000000", "UTC")
        assert (event.sensitivity.value, event.response_status.response.value) == ("private", "organizer")  # type: ignore[union-attr]
        assert event.original_start is not None
        assert event.original_start.isoformat() == "2026-03-10T07:00:00+00:00"
        assert event.attendees[0].status.response.value == "none"  # type: ignore[index,union-attr]
        assert set(event.additional_data) == {"@odata.context", "@odata.etag"}
        assert master.recurrence.range.number_of_occurrences == 4  # type: ignore[union-attr]
        desk.meetings.cancel(desk.meetings.store.all(ANN)[0].id)
        later = await person.calendar_view.delta.with_url(first.odata_delta_link or "").get()
        assert later is not None
        assert {one.additional_data["@removed"]["reason"] for one in later.value or []} == {"deleted"}
        calls = client.communications.call_records
        record = await calls.by_call_record_id(key).get()
        assert record is not None
        assert (record.version, record.type.value, len(record.participants or [])) == (1, "peerToPeer", 2)  # type: ignore[union-attr]
        parts = await calls.by_call_record_id(key).participants_v2.get()
        assert parts is not None
        assert [one.identity.user.user_principal_name for one in parts.value or []] == [ANN, BOB]  # type: ignore[union-attr]

    async def attended(client: GraphServiceClient) -> None:
        find = OnlineMeetingsRequestBuilder.OnlineMeetingsRequestBuilderGetQueryParameters(
            filter=f"JoinWebUrl eq '{TEAMS}'"
        )
        meetings = client.users.by_user_id(ANN).online_meetings
        found = await meetings.get(RequestConfiguration(query_parameters=find))
        assert found is not None
        (meeting,) = found.value or []
        reports = meetings.by_online_meeting_id(str(meeting.id)).attendance_reports
        listed = await reports.get()
        assert listed is not None
        (report,) = listed.value or []
        records = await reports.by_meeting_attendance_report_id(str(report.id)).attendance_records.get()
        assert records is not None
        (record,) = records.value or []
        assert (record.email_address, record.role, record.total_attendance_in_seconds) == (BOB, "Presenter", 1200)

    with_sdk(served, attended)
    with_sdk(served, work)
