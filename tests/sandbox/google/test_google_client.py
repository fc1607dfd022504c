"""The official client meets the emulated Google over TLS."""

from __future__ import annotations

import base64
from email import message_from_bytes
from typing import Any

import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError

from sandbox.google.witness import ALIASES, METADATA, READONLY, USERS, Witness


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"] for item in answer.get("messages", [])]


def all_ids(gmail: Any, **query: Any) -> list[str]:
    found: list[str] = []
    request = gmail.users().messages().list(userId="me", **query)
    while request is not None:
        answer = request.execute()
        found += ids(answer)
        request = gmail.users().messages().list_next(request, answer)
    return found


def test_the_profile_names_the_delegated_user_and_counts_the_mailbox(witness: Witness) -> None:
    profile = witness.gmail().users().getProfile(userId="me").execute()
    assert profile["emailAddress"] == witness.rep
    assert profile["messagesTotal"] >= profile["threadsTotal"] > 5
    assert int(profile["historyId"]) > 0


def test_a_list_is_newest_first_and_its_pages_give_each_message_once(witness: Witness) -> None:
    gmail = witness.gmail()
    whole = all_ids(gmail, maxResults=500)
    paged = all_ids(gmail, maxResults=3)
    assert paged == whole
    assert len(set(whole)) == len(whole) > 6
    dates = [
        int(gmail.users().messages().get(userId="me", id=key, format="minimal").execute()["internalDate"])
        for key in whole
    ]
    assert dates == sorted(dates, reverse=True)


def test_a_page_that_began_before_a_new_mail_does_not_repeat_or_lose_any(witness: Witness) -> None:
    gmail = witness.gmail()
    whole = all_ids(gmail)
    request = gmail.users().messages().list(userId="me", maxResults=4)
    first = request.execute()
    witness.advance(days=5)
    rest: list[str] = []
    following = gmail.users().messages().list_next(request, first)
    while following is not None:
        answer = following.execute()
        rest += ids(answer)
        following = gmail.users().messages().list_next(following, answer)
    assert ids(first) + rest == whole


def test_spam_and_trash_stay_out_of_lists_unless_asked_for(witness: Witness) -> None:
    boxes = [user["email"] for user in witness.world["users"] if user["role"] == "rep" and user["active"]]
    hidden = 0
    for box in boxes:
        gmail = witness.gmail(box)
        usual, everything = set(all_ids(gmail)), set(all_ids(gmail, includeSpamTrash=True))
        assert usual <= everything
        assert not usual & set(all_ids(gmail, labelIds=["SPAM"]))
        hidden += len(everything - usual)
    assert hidden >= 2


def test_metadata_gives_the_headers_in_order_and_only_those_asked_for(witness: Witness) -> None:
    gmail = witness.gmail()
    key = all_ids(gmail, labelIds=["INBOX"])[0]
    get = gmail.users().messages().get
    body = get(userId="me", id=key, format="metadata").execute()
    raw = base64.urlsafe_b64decode(get(userId="me", id=key, format="raw").execute()["raw"])
    assert [header["name"] for header in body["payload"]["headers"]] == message_from_bytes(raw).keys()
    some = get(userId="me", id=key, format="metadata", metadataHeaders=["from", "MESSAGE-ID"]).execute()
    assert {header["name"] for header in some["payload"]["headers"]} == {"From", "Message-ID"}
    assert body["payload"]["headers"][0]["name"] == "Delivered-To"
    assert body["sizeEstimate"] == len(raw)
    assert "INBOX" in body["labelIds"]


def test_full_gives_the_text_and_raw_is_the_same_mail(witness: Witness) -> None:
    gmail = witness.gmail()
    key = all_ids(gmail, labelIds=["SENT"])[0]
    full = gmail.users().messages().get(userId="me", id=key).execute()
    raw = gmail.users().messages().get(userId="me", id=key, format="raw").execute()
    mail = message_from_bytes(base64.urlsafe_b64decode(raw["raw"]))
    assert full["payload"]["mimeType"] == mail.get_content_type()
    text = base64.urlsafe_b64decode(full["payload"]["body"]["data"])
    assert text == mail.get_payload(decode=True)
    assert full["snippet"][:5] in text.decode()


def test_turkish_subjects_arrive_decoded(witness: Witness) -> None:
    gmail = witness.gmail()
    subjects = [
        header["value"]
        for key in all_ids(gmail)
        for header in gmail.users()
        .messages()
        .get(userId="me", id=key, format="metadata")
        .execute()["payload"]["headers"]
        if header["name"] == "Subject"
    ]
    assert any("ş" in subject or "ı" in subject for subject in subjects)
    assert not any("=?" in subject for subject in subjects)


def test_a_thread_holds_both_directions_under_one_id(witness: Witness) -> None:
    gmail = witness.gmail()
    threads = [
        item["threadId"] for item in gmail.users().messages().list(userId="me", maxResults=500).execute()["messages"]
    ]
    longest = max(threads, key=threads.count)
    thread = gmail.users().threads().get(userId="me", id=longest, format="metadata").execute()
    assert len(thread["messages"]) == threads.count(longest) >= 2
    labels = [set(message["labelIds"]) for message in thread["messages"]]
    assert any("SENT" in one for one in labels)
    assert any("INBOX" in one for one in labels)
    listed = gmail.users().threads().list(userId="me").execute()["threads"]
    assert {item["id"] for item in listed} == set(threads)


def test_each_part_of_a_batch_is_answered_by_itself(witness: Witness) -> None:
    gmail = witness.gmail()
    keys = [*all_ids(gmail, maxResults=5)[:5], "0123456789abcdef"]
    answers: dict[str, Any] = {}

    def note(request_id: str, response: Any, error: Any) -> None:
        answers[request_id] = error or response

    batch = witness.batch(note)
    for key in keys:
        batch.add(gmail.users().messages().get(userId="me", id=key, format="minimal"), request_id=f"m/{key} é")
    batch.execute()
    assert [answers[f"m/{key} é"]["id"] for key in keys[:-1]] == keys[:-1]
    failed = answers[f"m/{keys[-1]} é"]
    assert isinstance(failed, HttpError)
    assert failed.resp.status == 404


def test_a_batch_of_more_than_a_hundred_is_refused_as_a_whole(witness: Witness) -> None:
    gmail = witness.gmail()
    gmail.users().getProfile(userId="me").execute()  # the client's batch would fetch its token without our CA
    batch = witness.batch(lambda *_: None)
    for number in range(101):
        batch.add(gmail.users().messages().get(userId="me", id=f"{number:016x}"))
    with pytest.raises(HttpError) as caught:
        batch.execute()
    assert caught.value.resp.status == 400


def test_the_metadata_scope_gives_headers_and_refuses_the_rest(witness: Witness) -> None:
    gmail = witness.gmail(witness.rep, METADATA)
    key = all_ids(gmail)[0]
    body = gmail.users().messages().get(userId="me", id=key, format="metadata").execute()
    assert body["payload"]["headers"]
    assert "snippet" not in body
    with pytest.raises(HttpError, match="Metadata scope doesn't allow format FULL"):
        gmail.users().messages().get(userId="me", id=key, format="full").execute()
    for scopes in ((METADATA,), (METADATA, READONLY)):
        with pytest.raises(HttpError, match="Metadata scope does not support 'q' parameter") as caught:
            witness.gmail(witness.rep, *scopes).users().messages().list(userId="me", q="in:inbox").execute()
        assert caught.value.resp.status == 403
        assert caught.value.error_details[0]["reason"] == "forbidden"


def test_a_token_opens_only_its_own_users_mailbox(witness: Witness) -> None:
    other = witness.user("@user:rep2")["email"]
    with pytest.raises(HttpError, match="Delegation denied") as caught:
        witness.gmail().users().messages().list(userId=other).execute()
    assert caught.value.resp.status == 403
    assert witness.gmail().users().getProfile(userId=witness.rep).execute()["emailAddress"] == witness.rep


def test_writing_is_refused_for_want_of_scope(witness: Witness) -> None:
    key = all_ids(witness.gmail())[0]
    with pytest.raises(HttpError, match="insufficient authentication scopes") as caught:
        witness.gmail().users().messages().trash(userId="me", id=key).execute()
    assert caught.value.resp.status == 403
    assert caught.value.error_details[0]["@type"].endswith("ErrorInfo")


@pytest.mark.parametrize(
    ("subject", "scopes", "words"),
    [
        ("nobody@karadeniz-makine.example", (READONLY,), "invalid_grant: Invalid email"),
        (None, ("https://mail.google.com/",), "unauthorized_client: Client is unauthorized"),
        (None, (READONLY, "https://www.googleapis.com/auth/gmail.send"), "unauthorized_client"),
        ("kerem.ucar@karadeniz-makine.example", (READONLY,), "invalid_grant: Account disabled"),
    ],
)
def test_the_token_endpoint_refuses_what_was_not_delegated(
    witness: Witness, subject: str | None, scopes: tuple[str, ...], words: str
) -> None:
    with pytest.raises(RefreshError, match=words):
        witness.gmail(subject, *scopes).users().getProfile(userId="me").execute()


def test_a_user_without_gmail_is_told_so(witness: Witness) -> None:
    with pytest.raises(HttpError, match="Mail service not enabled") as caught:
        witness.gmail(witness.google["admin_email"]).users().getProfile(userId="me").execute()
    assert caught.value.resp.status == 400
    assert caught.value.error_details[0]["reason"] == "failedPrecondition"


def test_a_service_account_without_a_user_has_no_mailbox(witness: Witness) -> None:
    http = witness.http(None, READONLY)
    from googleapiclient import discovery

    options = {"api_endpoint": witness.google["api_url"]}
    gmail = discovery.build("gmail", "v1", http=http, client_options=options)
    with pytest.raises(HttpError, match="Precondition check failed"):
        gmail.users().getProfile(userId="me").execute()


def test_the_directory_lists_all_users_page_by_page(witness: Witness) -> None:
    users = witness.directory().users()
    found: list[str] = []
    request = users.list(customer="my_customer", maxResults=2, orderBy="email")
    while request is not None:
        answer = request.execute()
        found += [user["primaryEmail"] for user in answer["users"]]
        request = users.list_next(request, answer)
    expected = sorted(user["email"] for user in witness.world["users"] if user["google"])
    assert found == expected
    by_domain = users.list(domain=witness.google["domain"], query="isSuspended=true").execute()
    assert [user["primaryEmail"] for user in by_domain["users"]] == ["kerem.ucar@karadeniz-makine.example"]


def test_the_directory_knows_a_user_by_alias_and_lists_the_aliases(witness: Witness) -> None:
    rep = witness.user("@user:rep1")
    alias = rep["google"]["aliases"][0]
    users = witness.directory().users()
    body = users.get(userKey=alias).execute()
    assert body["primaryEmail"] == rep["email"]
    assert body["name"]["fullName"] == f"{rep['first_name']} {rep['last_name']}"
    listed = users.aliases().list(userKey=rep["email"]).execute()["aliases"]
    assert [item["alias"] for item in listed] == [alias]
    with pytest.raises(HttpError) as caught:
        users.get(userKey="nobody@karadeniz-makine.example").execute()
    assert caught.value.resp.status == 404


def test_only_an_admin_may_ask_the_directory(witness: Witness) -> None:
    with pytest.raises(HttpError, match="Not Authorized to access this resource/api") as caught:
        witness.directory(witness.rep).users().list(customer="my_customer").execute()
    assert caught.value.resp.status == 403
    with pytest.raises(HttpError, match="insufficient authentication scopes"):
        witness.directory(None, ALIASES).users().list(customer="my_customer").execute()
    with pytest.raises(HttpError) as caught:
        witness.directory(None, USERS).users().list().execute()
    assert caught.value.resp.status == 400


def test_fields_cuts_the_answer(witness: Witness) -> None:
    gmail = witness.gmail()
    key = all_ids(gmail)[0]
    answer = gmail.users().messages().get(userId="me", id=key, fields="id,payload/headers(name),nothing").execute()
    assert set(answer) == {"id", "payload"}
    assert all(set(header) == {"name"} for header in answer["payload"]["headers"])
    with pytest.raises(HttpError) as caught:
        gmail.users().messages().get(userId="me", id=key, fields="id,(").execute()
    assert caught.value.resp.status == 400


@pytest.mark.parametrize(
    ("key", "status", "words"), [("zz", 400, "Invalid id value"), ("00000000000000aa", 404, "not found")]
)
def test_a_wrong_message_id_is_refused_as_gmail_does(witness: Witness, key: str, status: int, words: str) -> None:
    with pytest.raises(HttpError, match=words) as caught:
        witness.gmail().users().messages().get(userId="me", id=key).execute()
    assert caught.value.resp.status == status


def test_labels_carry_names_ids_and_counts(witness: Witness) -> None:
    gmail = witness.gmail()
    labels = {label["name"]: label for label in gmail.users().labels().list(userId="me").execute()["labels"]}
    assert labels["INBOX"]["type"] == "system"
    assert labels["NoCRM"]["type"] == "user"
    inbox = gmail.users().labels().get(userId="me", id="INBOX").execute()
    assert inbox["messagesTotal"] == len(all_ids(gmail, labelIds=["INBOX"], includeSpamTrash=True))
    with pytest.raises(HttpError, match="Invalid label"):
        gmail.users().messages().list(userId="me", labelIds=["Label_77"]).execute()
