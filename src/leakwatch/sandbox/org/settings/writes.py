"""Settings of what is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leakwatch.sandbox.org.settings.switch import collection, switch


@dataclass(kw_only=True)
class WriteSettings:
    """What a written row may hold, and what follows from it."""

    audit_fields: bool = switch(False)
    """Whether CreatedDate and its kin may be set on insert ("Set Audit Fields upon Record Creation")."""
    email_message_key_unique: bool = switch(True)
    """Probe: whether a unique key deploys on EmailMessage; if not, it deploys as not unique."""
    auto_task_owner: Literal["sender_user", "integration_user"] = switch("integration_user", "sender_user")
    """Probe: who owns the Task that an EmailMessage makes."""
    auto_task_owner_changeable: bool = switch(True)
    """Probe: whether anybody may give the Task that an EmailMessage makes to somebody else."""
    email_task_on_update: Literal["kept", "remade"] = switch("kept", "remade")
    """Probe: whether updating a mail deletes its Task and makes a new one. That this may happen is documented
    (Object Reference v67, EmailMessage), not when; "remade" does it with every update."""
    others_activities_editable: bool = switch(True)
    """Probe: whether a caller may change activities that somebody else owns (activity sharing)."""
    activity_key_shared: bool = switch(True)
    """Probe: whether a unique field of Activity counts over tasks and events together."""
    duplicate_id_length: Literal[15, 18, 0] = switch(15, 18, 0)
    """Probe: how many characters of the other record's id DUPLICATE_VALUE tells; 0: it names no record."""
    deleted_reference_code: Literal[
        "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
    ] = switch("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY")
    """Probe: with which code a row is refused that refers to a deleted record."""
    feed_item_delay_seconds: int = switch(0)
    """Probe: how long a post is not to be found among the feed items after it was made."""
    repeated_upsert_key: Literal["later_refused", "all_refused"] = switch("later_refused", "all_refused")
    """Probe: which rows of one Collections upsert are refused when several carry the same external id."""
    archive_after_days: int = switch(365)
    """How old activities are when they are archived; Support can have it extended to 3,650 days. 0: never."""
    field_history: dict[str, list[str]] = collection(dict[str, list[str]])  # noqa: RUF009  it makes a field
    """Standard fields whose changes are kept, by object; custom fields are tracked as they are deployed."""
