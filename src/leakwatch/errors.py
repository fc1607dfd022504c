"""Errors, named by what happens next. Vendor errors are translated into these in `clients/` and go no further.

| error            | what leakwatch does                                                        | exit code |
|------------------|----------------------------------------------------------------------------|-----------|
| `ConfigError`    | prints every problem at once, does nothing                                 | 3         |
| `UsageError`     | the same, for what the command line names                                  | 2         |
| `AuthError`      | parks that principal or org, says so once, carries on with the others      | 3         |
| `TransientError` | retried in `clients/`; then leaves the work where it is for the next cycle | 75        |
| `StoppedError`   | ended early because it was asked to; the next run goes on from there       | 75        |
| `CursorError`    | reconciles that one stream from a snapshot                                 | -         |
| `RecordError`    | quarantines that one record with its reason, carries on with the batch     | -         |
| `SafetyError`    | stops that flow before it writes; a person must look                       | 1         |
| `StaleError`     | stops that flow before it writes, until what it goes by was read again     | 75        |
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta


class LeakwatchError(Exception):
    """Any error leakwatch raises on purpose: its text says what happened, what was done and what to do next."""

    exit_code: int = 1


class ConfigError(LeakwatchError):
    """The configuration can't be used. `problems` lists every fault found, one sentence each."""

    exit_code = 3

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems: list[str] = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("; ".join(self.problems))


class UsageError(ConfigError):
    """The command line names what is not there: a run, a file, a mailbox."""

    exit_code = 2


class AuthError(LeakwatchError):
    """A token or permission was refused; `reason` is a short code such as `invalid_grant`."""

    exit_code = 3

    def __init__(self, message: str, *, reason: str = "refused") -> None:
        self.reason = reason
        super().__init__(message)


class TransientError(LeakwatchError):
    """The service could not answer now. `retry_after` is how long it asked to be left alone, if it said so."""

    exit_code = 75

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class StoppedError(TransientError):
    """A flow was asked to stop and did, where it can go on later: no fault of anybody."""


class CursorError(LeakwatchError):
    """The provider no longer knows a stream's cursor, or a stored cursor can't be read."""


class RecordError(LeakwatchError):
    """One record can't be written or read; `code` is the service's own error code, e.g. `STRING_TOO_LONG`."""

    def __init__(self, message: str, *, code: str, fields: Sequence[str] = ()) -> None:
        self.code = code
        self.fields = tuple(fields)
        super().__init__(message)


class NotFoundError(RecordError):
    """The item is gone: skipped, never an error of the batch."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="NOT_FOUND")


class SafetyError(LeakwatchError):
    """A limit on harm was reached; nothing was written by this flow after it."""


class StaleError(SafetyError):
    """What this flow goes by was read or judged too long ago; nothing was concluded from it."""

    exit_code = 75


class BudgetError(SafetyError):
    """The org's API calls are down to the reserve that leakwatch leaves for people."""

    exit_code = 75


class BusyError(LeakwatchError):
    """Another leakwatch process works on the same store."""

    exit_code = 75


class UnknownOutcomeError(TransientError):
    """A write left, its answer did not arrive: it may or may not have been carried out. Look before sending again."""
