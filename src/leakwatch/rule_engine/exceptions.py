"""`config/exceptions.yaml`: leaks that somebody has accepted, with reason, author and an end. Exact matches only.

A file that can't be read stops the run: read as "no exceptions" it would tell people about everything accepted at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pydantic import Field, model_validator

from leakwatch.core import strict_yaml
from leakwatch.core.record_ids import long_id
from leakwatch.errors import ConfigError
from leakwatch.model import RuleRow
from leakwatch.rule_engine.spec import Strict

LONGEST = timedelta(days=180)  # an exception is looked at again twice a year (audits.md (b))


class _Entry(Strict):
    rule: str | None = None
    record: str | None = None
    owner: str | None = None
    account: str | None = None
    author: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date

    @model_validator(mode="after")
    def _names_something(self) -> _Entry:
        if not (self.record or self.owner or self.account):
            raise ValueError("name a `record`, an `owner` or an `account`")
        return self


class _File(Strict):
    exceptions: list[_Entry] | None = None


@dataclass(frozen=True, slots=True)
class RuleException:
    """An accepted leak. All that is named must match; ids have 18 characters. In force through the day `expires`."""

    rule_id: str | None
    record_id: str | None
    owner_id: str | None
    account_id: str | None
    author: str
    reason: str
    expires: date

    @property
    def scope(self) -> str:
        """What is accepted, in words."""
        parts = (("record", self.record_id), ("owner", self.owner_id), ("account", self.account_id))
        return ", ".join(f"{word} {value}" for word, value in parts if value)

    def covers(self, row: RuleRow, *, today: date) -> bool:
        """Tell whether `row` is accepted today. A finding about the process is never covered."""
        return (
            today <= self.expires
            and not row.is_process
            and self.rule_id in (None, row.rule_id)
            and self.record_id in (None, long_id(row.record_id))
            and self.owner_id in (None, long_id(row.owner_id or ""))
            and self.account_id in (None, long_id(row.account_id or ""))
        )


def load_exceptions(path: Path, *, rule_ids: Sequence[str], today: date) -> tuple[RuleException, ...]:
    """Return the exceptions in the file at `path` (expired ones too, for the report); none if there is no such file.

    Raises:
        ConfigError: with every fault: unknown rule, nothing named, no author or reason, no end or one too far away.
    """
    if not path.exists():
        return ()
    document = strict_yaml.read(path)
    file = strict_yaml.validate(_File, document)
    problems: list[str] = []
    found: list[RuleException] = []
    for index, entry in enumerate(file.exceptions or ()):
        at = document.at(("exceptions", index))
        if entry.rule is not None and entry.rule not in rule_ids:
            problems.append(f"{at}: there is no rule `{entry.rule}`{strict_yaml.nearest(entry.rule, list(rule_ids))}")
        if entry.expires > today + LONGEST:
            latest = (today + LONGEST).isoformat()
            problems.append(f"{at}: ends on {entry.expires}, more than {LONGEST.days} days away (latest: {latest})")
        ids = [long_id(value) if value else None for value in (entry.record, entry.owner, entry.account)]
        found.append(RuleException(entry.rule, *ids, author=entry.author, reason=entry.reason, expires=entry.expires))
    if problems:
        raise ConfigError(problems)
    return tuple(found)
