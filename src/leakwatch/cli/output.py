"""How the command line speaks: JSON or tables on standard output, progress and errors on standard error."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, cast

import typer

from leakwatch.errors import AuthError, ConfigError, LeakwatchError, RecordError, TransientError

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: a part could not be done for now
MOST_LINES = 40  # of one list; --json has all

SAID = ("Nothing was", "nothing was", "Nothing of", "nothing of this")  # words by which an error says what it left

Progress = Callable[[str], None]


@contextmanager
def handled() -> Generator[None]:
    """Turn every error into one clear message on standard error and the right exit code; never a traceback.

    An error that leakwatch did not foresee is named with its type; $LEAKWATCH_TRACEBACK=1 shows where it was.
    """
    try:
        yield
    except LeakwatchError as error:
        for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
            typer.echo(f"error: {problem}", err=True)
        advice = _advice(error)
        if advice:
            typer.echo(advice, err=True)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; what was done is kept, run it again to go on", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(0) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or type(error).__name__}", err=True)
        typer.echo("What was stored before is kept. Check the path, its permissions and the free space.", err=True)
        raise typer.Exit(1) from None
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:  # the last line: a stranger is told, and nothing of people's data is shown
        if os.environ.get("LEAKWATCH_TRACEBACK"):
            raise
        words = (str(error).splitlines() or [""])[0][:200]
        typer.echo(f"error: a fault of leakwatch itself: {type(error).__name__}: {words}", err=True)
        typer.echo("What was stored before is kept. Please report it, with what LEAKWATCH_TRACEBACK=1 shows.", err=True)
        raise typer.Exit(1) from None


def _advice(error: LeakwatchError) -> str:
    """Return what was done and what to do next, where the error's own words can't say it."""
    words = str(error)
    if isinstance(error, ConfigError) and not any(said in words for said in SAID):
        return "Nothing was done. Correct this, then run the command again."
    if isinstance(error, TransientError):
        return "What was read before is kept and nothing is lost: run the same command again in a few minutes."
    if isinstance(error, AuthError) and "doctor" not in words:
        left = "" if any(said in words for said in SAID) else "Nothing more was read or written. "
        return f"{left}`leakwatch doctor` checks every access and says how to mend it."
    notes = " ".join(getattr(error, "__notes__", ()))
    if isinstance(error, RecordError) and not notes:
        code = f" ({error.code})" if error.code and error.code not in words else ""
        return (
            f"The service refused this call{code}; what was stored before is kept. Trying again alone will not mend "
            "it: `leakwatch doctor` checks every access and says how to mend it."
        )
    return notes


def print_json(value: Any) -> None:
    """Print `value` as indented JSON on standard output: decimals and dates as text, UTF-8."""
    import orjson

    # orjson walks the value itself and asks for help only with what it does not know: 3 CPU-s less on a large audit.
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    body = orjson.dumps(value, default=plain, option=options | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.flush()
    sys.stdout.buffer.write(body)  # as it is: UTF-8 whatever the terminal speaks, and no second copy of a large result
    sys.stdout.buffer.flush()


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: dataclasses as mappings, durations in seconds, decimals and dates as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = cast(Iterable[Any], value)
        return [plain(item) for item in (sorted(items, key=str) if isinstance(value, set | frozenset) else items)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Exception):
        return str(value)
    return str(value) if isinstance(value, Path) else value


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a plain table, columns padded, numbers to the right; nothing for no rows."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return ""
    widths = [max(len(header), *(len(row[i]) for row in cells)) for i, header in enumerate(headers)]
    right = [all(_is_number(row[i]) for row in cells) for i in range(len(headers))]
    lines = ["  ".join(_pad(header, widths[i], right[i]) for i, header in enumerate(headers)).rstrip()]
    lines.append("  ".join("-" * width for width in widths))
    lines += ["  ".join(_pad(text, widths[i], right[i]) for i, text in enumerate(row)).rstrip() for row in cells]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    text = value.isoformat(" ", "minutes") if isinstance(value, datetime) else str(value)
    # CRM text may hold control characters: a terminal must not be driven by a record's name.
    return "".join(char if char.isprintable() else " " for char in text)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "").lstrip("-").isdigit()


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def progress(*, quiet: bool = False) -> Progress:
    """Return a function that shows where a long run stands: on a terminal only, one line that rewrites itself."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return lambda _text: None

    def show(text: str) -> None:
        sys.stderr.write(f"\r\x1b[2K{text[:110]}" if text else "\r\x1b[2K")
        sys.stderr.flush()

    return show


def counts(values: Mapping[str, int]) -> str:
    """Return `values` as `name 1,234, other 5`, without what is zero."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(values.items()) if count) or "none"


def some(lines: list[str]) -> list[str]:
    """Return `lines`, or the first of them and how many more there are."""
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f"  ... and {len(lines) - MOST_LINES} more (--json lists all)"]
