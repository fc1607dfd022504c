"""Posts to feeds by every way in, their limits, comments, and custom notifications."""

from __future__ import annotations

from typing import Any

import pytest

from leakwatch.sandbox.org import notifications
from leakwatch.sandbox.org.facade import Org, OrgError
from sandbox.org.org_kit import Api, Clock, Company

pytestmark = pytest.mark.documented("Connect REST API Developer Guide, Feed Elements; Actions Developer Guide")
ACTION = "actions/standard/chatterPost"
ELEMENTS = "chatter/feed-elements"


def text(words: str) -> dict[str, Any]:
    return {"type": "Text", "text": words}


def element(subject: str, *segments: dict[str, Any]) -> dict[str, Any]:
    return {"feedElementType": "FeedItem", "subjectId": subject, "body": {"messageSegments": list(segments)}}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()[0]["errorCode"]


@pytest.fixture
def group(org: Org, company: Company) -> str:
    return org.create("CollaborationGroup", {"Name": "Sales", "CollaborationType": "Public"}, user_id=company.rep)


@pytest.mark.documented(guess="the codes of the refusals")
def test_the_action_posts_to_a_record_a_user_and_a_group(api: Api, org: Org, company: Company, group: str) -> None:
    inputs = [
        {"subjectNameOrId": company.deal[:15], "text": "a"},
        {"subjectNameOrId": "Jane.Doe@acme.example", "type": "User", "text": "b"},
        {"subjectNameOrId": "sales", "type": "Group", "text": "c"},
        {"subjectNameOrId": "Sales", "text": "a name needs its type"},
        {"subjectNameOrId": company.deal},
        {"subjectNameOrId": company.deal, "text": "d", "communityId": "0DB5e0000000001GAA"},
    ]
    answer = api.call("POST", ACTION, {"inputs": inputs})
    codes = [(one["errors"] or [{"statusCode": ""}])[0]["statusCode"] for one in answer.json()]
    assert (answer.status_code, codes[:3]) == (200, [""] * 3)
    assert codes[3:] == ["INVALID_ID_FIELD", "REQUIRED_FIELD_MISSING", "SANDBOX_NOT_EMULATED"]
    parents = [row["ParentId"] for row in org.query("SELECT ParentId FROM FeedItem ORDER BY Id")]
    assert parents == [company.deal, company.rep, group]


def test_a_post_by_the_action_keeps_its_segments(api: Api, company: Company) -> None:
    inputs = [{"subjectNameOrId": company.deal, "text": f"Hi @[{company.rep}], see #[leak]."}]
    (made,) = api.call("POST", ACTION, {"inputs": inputs}).json()
    shown = api.get(f"{ELEMENTS}/{made['outputValues']['feedItemId']}").json()
    assert shown["body"]["text"] == "Hi @Jane Doe, see #leak."
    assert [one["type"] for one in shown["body"]["messageSegments"]] == ["Text", "Mention", "Text", "Hashtag", "Text"]
    assert shown["body"]["messageSegments"][1]["record"]["id"] == company.rep


def test_a_feed_element_is_answered_whole(api: Api, org: Org, company: Company) -> None:
    segments = [
        text("See "),
        {"type": "MarkupBegin", "markupType": "Bold"},
        text("A & B"),
        {"type": "MarkupEnd", "markupType": "Bold"},
        {"type": "Mention", "id": company.manager},
        {"type": "Link", "url": "https://acme.example"},
    ]
    answer = api.call("POST", ELEMENTS, element(company.deal, *segments))
    body = answer.json()
    assert answer.status_code == 201
    assert (body["feedElementType"], body["type"], body["actor"]["id"]) == ("FeedItem", "TextPost", company.rep)
    assert body["parent"] | {"url": ""} == {
        "id": company.deal,
        "mySubscription": None,
        "name": "Çelik 2026",
        "type": "Opportunity",
        "url": "",
    }
    assert (body["header"]["text"], body["createdDate"]) == ("Çelik 2026", "2026-03-02T09:00:30.000Z")
    assert body["body"]["text"] == "See A & B@Maya Stonehttps://acme.example"
    assert body["capabilities"]["comments"]["page"]["total"] == 0
    assert api.http.get(body["url"]).json() == body
    row = org.get("FeedItem", body["id"])
    assert row is not None
    assert (row["Body"], row["IsRichText"]) == ("See <b>A &amp; B</b>@Maya Stonehttps://acme.example", True)


def test_a_post_to_me_may_come_as_parameters(api: Api, company: Company) -> None:
    params = {"feedElementType": "FeedItem", "subjectId": "me", "text": "New post"}
    answer = api.http.post(f"{api.root}/{ELEMENTS}", params=params)
    assert (answer.status_code, answer.json()["parent"]["id"]) == (201, company.rep)
    assert answer.json()["body"]["text"] == "New post"


@pytest.mark.documented(guess="the codes of the refusals")
def test_what_is_no_feed_element_is_refused(api: Api, company: Company) -> None:
    deal, rep = company.deal, company.rep
    mention = {"type": "Mention", "id": rep}
    bold = {"type": "MarkupBegin", "markupType": "Bold"}
    refused = {
        "POST_BODY_PARSE_ERROR": element(deal),
        "STRING_TOO_LONG": element(deal, text("x" * 10_001)),
        "LIMIT_EXCEEDED": element(deal, *[mention] * 26),
        "INVALID_ID_FIELD": element(deal, {"type": "Mention", "id": company.contact}),
        "INVALID_MARKUP": element(deal, bold, text("x")),
        "MISSING_ARGUMENT": element("", text("x")),
        "INVALID_API_INPUT": element(deal, text("x")) | {"feedElementType": "Bundle"},
    }
    for name, body in refused.items():
        assert code(api.call("POST", ELEMENTS, body)) == (400, name)
    assert api.call("POST", ELEMENTS, element(deal, *[mention] * 25)).status_code == 201
    for body in (
        element(deal, {"type": "InlineImage", "fileId": "069"}),
        element(deal, text("x")) | {"capabilities": {}},
    ):
        assert code(api.call("POST", ELEMENTS, body)) == (501, "SANDBOX_NOT_EMULATED")
    assert code(api.get("chatter/feeds/news/me/feed-elements")) == (501, "SANDBOX_NOT_EMULATED")
    assert api.get(f"{ELEMENTS}/0D55e0000000001AAA").status_code == 404


@pytest.mark.documented(guess="the codes of the refusals")
def test_a_batch_answers_element_by_element(api: Api, org: Org, company: Company) -> None:
    inputs = [{"richInput": element(one, text("x"))} for one in (company.deal, "0065e00000zzzzzAAA")]
    answer = api.call("POST", f"{ELEMENTS}/batch", {"inputs": inputs})
    body = answer.json()
    assert (answer.status_code, body["hasErrors"]) == (200, True)
    assert [one["statusCode"] for one in body["results"]] == [201, 400]
    assert body["results"][0]["result"]["parent"]["id"] == company.deal
    assert body["results"][1]["result"][0]["errorCode"] == "INVALID_ID_FIELD"
    assert len(org.query("SELECT Id FROM FeedItem")) == 1
    too_many = {"inputs": [{"richInput": {}}] * 501}
    assert code(api.call("POST", f"{ELEMENTS}/batch", too_many)) == (400, "LIMIT_EXCEEDED")


@pytest.mark.documented(guess="status and code of the refusal")
def test_chatter_requests_are_limited_per_user_app_and_hour(api: Api, org: Org, company: Company, clock: Clock) -> None:
    org.change_settings({"chatter_hourly_limit": 1})
    body = element(company.deal, text("x"))
    assert api.call("POST", ELEMENTS, body).status_code == 201
    assert code(api.call("POST", ELEMENTS, body)) == (503, "REQUEST_LIMIT_EXCEEDED")
    inputs = [{"subjectNameOrId": company.deal, "text": "actions do not count"}]
    assert api.call("POST", ACTION, {"inputs": inputs}).status_code == 200
    mine = api.http.headers["Authorization"]
    api.http.headers["Authorization"] = f"Bearer {org.sessions.open(company.rep, 'another app').token}"
    assert api.call("POST", ELEMENTS, body).status_code == 201
    api.http.headers["Authorization"] = mine
    clock.advance(hours=1)
    assert api.call("POST", ELEMENTS, body).status_code == 201


def test_a_feed_that_is_switched_off_takes_no_posts(api: Api, org: Org, company: Company) -> None:
    org.change_settings({"feed_tracking_off": ["Opportunity"]})
    (answer,) = api.call("POST", ACTION, {"inputs": [{"subjectNameOrId": company.deal, "text": "x"}]}).json()
    assert answer["errors"][0]["statusCode"] == "FEED_NOT_ENABLED_FOR_OBJECT"
    post = {"ParentId": company.deal, "Body": "x"}
    assert code(api.call("POST", "sobjects/FeedItem", post)) == (400, "FEED_NOT_ENABLED_FOR_OBJECT")
    assert api.call("POST", "sobjects/FeedItem", post | {"ParentId": company.account}).status_code == 201


@pytest.mark.documented(guess="the codes of the refusals")
def test_feed_items_need_what_their_type_needs(org: Org, company: Company) -> None:
    def made(**fields: Any) -> dict[str, Any]:
        found = org.get("FeedItem", org.create("FeedItem", {"ParentId": company.deal, **fields}, user_id=company.rep))
        return found or {}

    assert made(LinkUrl="https://acme.example")["Type"] == "LinkPost"
    assert made(Body="<p>a <b>b</b></p>", IsRichText=True)["IsRichText"] is True
    assert made(Body="<script>plain text may hold anything</script>")["Type"] == "TextPost"
    for refusal, fields in {
        "REQUIRED_FIELD_MISSING": {"Type": "LinkPost", "Body": "x"},
        "INVALID_MARKUP": {"Body": "<script>x</script>", "IsRichText": True},
        "SANDBOX_NOT_EMULATED": {"Type": "ContentPost", "Body": "x"},
    }.items():
        with pytest.raises(OrgError, match=refusal):
            made(**fields)


def test_a_feed_item_counts_its_comments(api: Api, org: Org, company: Company) -> None:
    item = org.create("FeedItem", {"ParentId": company.deal, "Body": "x"}, user_id=company.rep)
    comments = [org.create("FeedComment", {"FeedItemId": item, "CommentBody": "y"}, user_id=company.rep) for _ in "ab"]
    made = org.get("FeedComment", comments[0]) or {}
    assert (made["ParentId"], made["InsertedById"]) == (company.deal, company.rep)
    assert api.get(f"{ELEMENTS}/{item}").json()["capabilities"]["comments"]["page"]["total"] == 2
    org.delete("FeedComment", comments[0], user_id=company.rep)
    assert (org.get("FeedItem", item) or {})["CommentCount"] == 1
    assert org.get("FeedComment", comments[0]) is None  # no recycle bin for comments


# -- custom notifications -------------------------------------------------------------------------------

NOTIFY = "actions/standard/customNotificationAction"


@pytest.fixture
def notice(org: Org, company: Company) -> dict[str, Any]:
    fields = {"CustomNotifTypeName": "Leak", "DeveloperName": "Leak", "MasterLabel": "Leak", "Desktop": True}
    kind = org.create("CustomNotificationType", fields, user_id=company.rep)
    return {
        "customNotifTypeId": kind,
        "recipientIds": [company.rep],
        "title": "t",
        "body": "b",
        "targetId": company.deal,
    }


def test_a_custom_notification_reaches_the_active_users_behind_its_recipients(
    api: Api, org: Org, company: Company, notice: dict[str, Any]
) -> None:
    group = org.new_id("Group")
    org.seed("Group", [{"Id": group, "Name": "All", "Type": "Regular"}])
    members = (company.manager, company.leaver, company.rep)
    org.seed("GroupMember", [{"GroupId": group, "UserOrGroupId": one} for one in members])
    sent = notice | {"recipientIds": [company.rep, company.leaver, group]}
    answer = api.call("POST", NOTIFY, {"inputs": [sent]})
    said = {"SuccessMessage": "Your custom notification is processed successfully."}
    expected = {"actionName": "customNotificationAction", "errors": None, "isSuccess": True, "outputValues": said}
    assert (answer.status_code, answer.json()) == (200, [expected])
    (kept,) = notifications.outbox(org)
    assert kept["users"] == [company.rep, company.manager]
    assert (kept["title"], kept["senderId"], kept["at"]) == ("t", company.rep, "2026-03-02T09:00:30.000+0000")


@pytest.mark.documented(guess="the codes of the refusals")
def test_what_is_no_custom_notification_is_refused_by_input(
    api: Api, org: Org, company: Company, notice: dict[str, Any]
) -> None:
    inputs = [
        notice | {"title": "x" * 251},
        notice | {"body": "x" * 751},
        notice | {"recipientIds": [company.rep] * 501},
        notice | {"recipientIds": [company.lead]},
        notice | {"customNotifTypeId": company.deal},
        notice | {"targetId": None},
        notice | {"targetId": None, "targetPageRef": '{"type": "standard__webPage"}'},
    ]
    answers = api.call("POST", NOTIFY, {"inputs": inputs}).json()
    codes = [(one["errors"] or [{"statusCode": ""}])[0]["statusCode"] for one in answers]
    assert codes == [
        *["STRING_TOO_LONG"] * 2,
        "LIMIT_EXCEEDED",
        *["INVALID_ID_FIELD"] * 2,
        "REQUIRED_FIELD_MISSING",
        "",
    ]
    org.change_settings({"missing_permissions": ["SendCustomNotifications"]})
    (refused,) = api.call("POST", NOTIFY, {"inputs": [notice]}).json()
    assert refused["errors"][0]["statusCode"] == "INSUFFICIENT_ACCESS"


def test_notifications_beyond_the_hours_allowance_are_lost_without_a_word(
    api: Api, org: Org, clock: Clock, notice: dict[str, Any]
) -> None:
    org.meters.add(notifications.METER, notifications.HOURLY - 1)
    answers = api.call("POST", NOTIFY, {"inputs": [notice, notice]}).json()
    assert [one["isSuccess"] for one in answers] == [True, True]
    assert len(notifications.outbox(org)) == 1
    clock.advance(hours=1)
    api.call("POST", NOTIFY, {"inputs": [notice]})
    assert len(notifications.outbox(org)) == 2
