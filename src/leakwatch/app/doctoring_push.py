"""What `doctor` says of push: the subscription, the topic and Gmail's right to publish to it, and what is heard.

Reads only, but for one thing: whether Gmail may publish, only a watch tells. So the sample mailbox is watched as every
sync watches it; in the mailbox nothing changes, and the watch ends after seven days by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leakwatch.app.building import Parts
from leakwatch.app.doctoring_check import Check
from leakwatch.app.google_parts import GoogleParts
from leakwatch.app.push_listening import subscription_of
from leakwatch.core.push_hints import PULL_STALE, RENEW_AFTER
from leakwatch.errors import AuthError, ConfigError, LeakwatchError, NotFoundError, RecordError, TransientError
from leakwatch.model import Principal
from leakwatch.store.push_state import PUSH_FILE, PushState

GMAIL = "serviceAccount:gmail-api-push@system.gserviceaccount.com"
POLLED = "Until then every mailbox is polled, nothing is missed."


def push_checks(parts: Parts, google: GoogleParts, told: Sequence[Principal]) -> Iterator[Check]:
    """Yield the checks of push; nothing where it is off. `told` are the people whose mailboxes may be opened."""
    section = parts.settings.google.push
    if not section.enabled:
        return
    yield from _subscription(parts)
    yield _topic(parts, google, told[0])
    if (parts.settings.store.folder / PUSH_FILE).exists():
        yield from _heard(parts, len(told))


def _subscription(parts: Parts) -> Iterator[Check]:
    name, section = "push subscription", parts.settings.google.push
    short, account = str(section.subscription).rpartition("/")[2], _account(parts)
    client = subscription_of(parts.settings, parts.wall)
    parts.on_close(client.close)
    role = (
        f"gcloud pubsub subscriptions add-iam-policy-binding {section.subscription} "
        f"--member=serviceAccount:{account} --role=roles/pubsub"
    )
    try:
        may_pull = client.may_pull()
        found: dict[str, Any] | None = None
        try:
            found = client.look()
        except AuthError as error:
            if error.reason == "api_not_enabled":
                raise
    except NotFoundError as error:
        yield Check(name, "bad", f"there is no {section.subscription}. {POLLED}",
                    f"gcloud pubsub subscriptions create {section.subscription} --topic={section.topic} "
                    "--ack-deadline=60 --expiration-period=never", error.exit_code)  # fmt: skip
        return
    except AuthError as error:
        yield Check(name, "bad", f"{error} {POLLED}", "gcloud services enable pubsub.googleapis.com", error.exit_code)
        return
    except TransientError as error:
        yield Check(name, "note", f"Pub/Sub can't answer now: {error} {POLLED}", "Run doctor again later.")
        return
    if not may_pull:
        yield Check(name, "bad", f"the service account may not pull from {short}. {POLLED}", f"{role}.subscriber",
                    AuthError.exit_code)  # fmt: skip
    elif found is None:
        yield Check(name, "note", f"{short} can be pulled from; whether it hangs on the topic can't be seen",
                    f"If you want doctor to see that: {role}.viewer")  # fmt: skip
    else:
        yield _shape(found, short, str(section.topic), str(section.subscription))


def _shape(found: dict[str, Any], short: str, topic: str, subscription: str) -> Check:
    name = "push subscription"
    again = f"gcloud pubsub subscriptions delete {subscription}, then create it with --topic={topic}"
    if found.get("detached") or found.get("topic") != topic:
        said = "detached" if found.get("detached") else f"on {found.get('topic')}"
        return Check(name, "bad", f"{short} is {said}, not on {topic}: no hint comes. {POLLED}", again)
    if (found.get("pushConfig") or {}).get("pushEndpoint"):
        fix = f'gcloud pubsub subscriptions update {subscription} --push-endpoint=""'
        return Check(name, "bad", f"{short} pushes to an endpoint, so nothing is left to pull. {POLLED}", fix)
    if found.get("filter"):
        return Check(name, "note", f"{short} has a filter, and Gmail's messages have no attributes to pass it", again)
    return Check(name, "ok", f"{short} hangs on the topic and can be pulled from")


def _topic(parts: Parts, google: GoogleParts, sample: Principal) -> Check:
    name, topic = "push topic", str(parts.settings.google.push.topic)
    project = topic.split("/")[1]
    google.client.allow([parts.settings.google.admin_email, sample.address])
    try:
        granted = google.watches.watch(sample.address)
    except NotFoundError as error:
        fix = f"gcloud pubsub topics create {topic}"
        return Check(name, "bad", f"there is no {topic}. {POLLED}", fix, error.exit_code)
    except AuthError as error:
        if "pubsub" not in str(error).lower():
            return Check(name, "note", f"not examined: {error}", "Mend what stands at the sample mailbox first.")
        fix = f"gcloud pubsub topics add-iam-policy-binding {topic} --member={GMAIL} --role=roles/pubsub.publisher"
        words = f"Gmail may not publish to {topic}. {POLLED}"
        more = " (where a policy restricts members to your domain, make an exception for this account)"
        return Check(name, "bad", words, fix + more, error.exit_code)
    except RecordError as error:
        fix = f"The topic must lie in the project of the service account's key, not in {project}."
        return Check(name, "bad", f"{error} {POLLED}", fix, error.exit_code)
    except TransientError as error:
        return Check(name, "note", f"Gmail can't answer now: {error} {POLLED}", "Run doctor again later.")
    return Check(name, "ok", f"Gmail tells it of {sample.address} until {granted.expires_at:%Y-%m-%d %H:%M} UTC")


def _heard(parts: Parts, mailboxes: int) -> Iterator[Check]:
    """Say what the daemon heard; it keeps the file."""
    now, topic = parts.clock.now(), str(parts.settings.google.push.topic)
    state = PushState(parts.settings.store.folder)
    try:
        watches = state.watches().values()
        pulled_at, error, told = state.last_pull()
    except LeakwatchError as problem:
        yield Check("push", "note", str(problem), f"Delete {PUSH_FILE} from the store folder: it is made anew.")
        return
    finally:
        state.close()
    living = [one for one in watches if one.lives(topic, now)]
    old = [one for one in living if one.renewed_at is not None and now - one.renewed_at > 2 * RENEW_AFTER]
    failed = sorted({one.error for one in watches if one.error})
    words = f"{len(living)} of {mailboxes} mailboxes are watched; {told:,} notifications came so far"
    if error:
        yield Check("push", "bad", f"{words}. Pub/Sub does not answer: {error} {POLLED}", "See the lines above.")
    elif pulled_at is None or now - pulled_at >= PULL_STALE:
        yield Check("push", "note", f"{words}. Nobody listens now", "Start the daemon: leakwatch run")
    elif old:
        yield Check("push", "note", f"{words}. {len(old)} were not renewed for two days", "Look into the daemon's log.")
    else:
        yield Check("push", "ok", words)
    if failed:
        more = f" (and {len(failed) - 1} other reasons)" if len(failed) > 1 else ""
        yield Check("push watches", "note", f"refused: {failed[0]}{more}. Such mailboxes are polled as without push",
                    "They are asked for again every hour.")  # fmt: skip


def _account(parts: Parts) -> str:
    from leakwatch.clients.google import load_service_account

    path = parts.settings.google.service_account_file
    if path is None:
        raise ConfigError("google.service_account_file is not set")
    return str(load_service_account(path)["client_email"])
