"""What the Python clients' checks share: each check prints one line of JSON, which run.py makes its table of.

A check is a `with` block round the client's own calls. It ends in one of two ways that count as passed - the block
went through, or the sandbox named what it does not emulate - and anything else is a failure with its reason.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The errorCode by which the sandbox says that a thing exists at Salesforce and not here.
NOT_EMULATED = "SANDBOX_NOT_EMULATED"
_SHOWN = 600  # characters of a reason


def info() -> dict[str, Any]:
    """The content of sandbox.json: addresses, users, secrets."""
    return json.loads(Path(os.environ["SANDBOX_INFO"]).read_text(encoding="utf-8"))


def say(check: str, outcome: str, why: str = "") -> None:
    """Print how a check ended: passed, not emulated or failed."""
    line = {"check": check, "outcome": outcome, "why": why[:_SHOWN]}
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def works(check: str) -> Iterator[None]:
    """The calls of the block go through, and what they give holds."""
    try:
        yield
    except Exception as error:  # whatever a foreign client raises is the finding
        say(check, "failed", _told(error))
    else:
        say(check, "passed")


@contextlib.contextmanager
def refused(check: str, *words: str) -> Iterator[None]:
    """The call of the block fails in the client, with all these words in what it raises."""
    try:
        yield
    except Exception as error:
        missing = [word for word in words if word not in _told(error)]
        say(check, *(("failed", f"without {missing}: {_told(error)}") if missing else ("passed",)))
    else:
        say(check, "failed", "nothing was raised")


@contextlib.contextmanager
def not_emulated(check: str, *words: str) -> Iterator[None]:
    """The call of the block fails, and the answer names the part of Salesforce that is not emulated."""
    try:
        yield
    except Exception as error:
        missing = [word for word in (NOT_EMULATED, *words) if word not in _told(error)]
        say(check, *(("failed", f"without {missing}: {_told(error)}") if missing else ("not emulated",)))
    else:
        say(check, "failed", "it was answered as if it were emulated")


def _told(error: BaseException) -> str:
    """The words of an exception and of the answer it carries, if it carries one."""
    carried = getattr(error, "response", None)
    content = getattr(error, "content", None)
    words = [type(error).__name__, str(error), str(content or ""), str(getattr(carried, "text", "") or "")]
    inner = [_told(one) for one in getattr(error, "exceptions", ())]
    return " ".join(dict.fromkeys(word for word in words + inner if word))
