"""When and how often a vendor is asked again. Retries happen here and nowhere else.

Only `TransientError` is retried: everything else needs another recovery (see `errors.py`). An `UnknownOutcomeError`
is never retried blindly, because the first attempt may have been carried out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity

from leakwatch import log
from leakwatch.errors import TransientError, UnknownOutcomeError

LONGEST_WAIT = timedelta(minutes=15)  # a longer Retry-After is handed to the flow: the work waits for its next cycle

_T = TypeVar("_T")
# Gmail says it in the text and often leaves the header out: "User-rate limit exceeded.  Retry after 2026-01-05T10:..Z"
_BODY_TIME = re.compile(r"[Rr]etry after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)")
_SECONDS = re.compile(r"\d{1,9}(\.\d+)?")

_log = log.get(__name__)


def parse_retry_after(headers: Mapping[str, str], body: str = "", *, now: datetime) -> timedelta | None:
    """Return how long the service asks to be left alone, or None if it does not say (or says nonsense).

    Reads the `Retry-After` header (seconds or HTTP date, any case of the name) and Gmail's "Retry after <instant>" in
    `body`. Never negative. `now` (aware UTC) is what dates are measured from.
    """
    for name, value in headers.items():
        if name.lower() == "retry-after":
            wait = _header_wait(value.strip(), now)
            if wait is not None:
                return wait
    found = _BODY_TIME.search(body[:20_000])
    if found is None:
        return None
    try:
        return max(timedelta(0), datetime.fromisoformat(found.group(1).replace("Z", "+00:00")) - now)
    except ValueError:
        return None


def _header_wait(value: str, now: datetime) -> timedelta | None:
    if _SECONDS.fullmatch(value):
        return timedelta(seconds=float(value))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None  # negative seconds, text: as if absent
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(timedelta(0), moment - now)


class RetryPolicy:
    """Asks again after transient failures, with full jitter, obeying the service's own wish.

    Args:
        sleep: blocks for a number of seconds; the clock's.
        attempts: tries in all, the first included.
        base_s: the first wait is drawn from 0 to this many seconds; the bound doubles each time.
        longest_backoff_s: upper bound of a wait the service did not ask for.
        longest_wait: a service that asks for more than this is not waited for: the error goes to the caller at once.
    """

    def __init__(
        self,
        sleep: Callable[[float], None],
        *,
        attempts: int = 5,
        base_s: float = 1.0,
        longest_backoff_s: float = 60.0,
        longest_wait: timedelta = LONGEST_WAIT,
    ) -> None:
        self._sleep = sleep
        self._attempts = attempts
        self._jitter = tenacity.wait_random_exponential(multiplier=base_s, max=longest_backoff_s)
        self._longest_wait = longest_wait

    def call(self, request: Callable[[], _T], *, what: str) -> _T:
        """Return what `request` returns, asking again while it raises TransientError.

        `what` names the call in the log; it holds no address and no content.

        Raises:
            TransientError: still failing after all attempts, or asked to wait longer than `longest_wait`.
            Anything else that `request` raises, at once.
        """
        retrying = tenacity.Retrying(
            sleep=self._sleep,
            stop=tenacity.stop_after_attempt(self._attempts),
            retry=tenacity.retry_if_exception(self._worth_it),
            wait=self._wait,
            before_sleep=lambda state: _report(what, state),
            reraise=True,
        )
        return retrying(request)

    def _worth_it(self, error: BaseException) -> bool:
        if not isinstance(error, TransientError) or isinstance(error, UnknownOutcomeError):
            return False
        return error.retry_after is None or error.retry_after <= self._longest_wait

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        jitter = self._jitter(state)
        if isinstance(error, TransientError) and error.retry_after is not None:
            # A little on top, so that many callers told the same instant do not come back together.
            return error.retry_after.total_seconds() + min(jitter, 1.0)
        return jitter


def _report(what: str, state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    wait = state.next_action.sleep if state.next_action is not None else 0.0
    _log.info(
        log.Event.REQUEST_RETRIED,
        what=what,
        attempt=state.attempt_number,
        wait_s=round(wait, 2),
        error=type(error).__name__,
    )
