"""`docs/cli.md`: every command with its help, arguments and options, as Typer knows them.

Written by `python -m leakwatch.cli.reference > docs/cli.md`; a test fails if it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import typer.main

from leakwatch.cli import app

HEAD = """# Command line

<!-- Written by `python -m leakwatch.cli.reference > docs/cli.md`; a test fails if it is stale. -->

Data goes to standard output, everything else (hints, warnings, logs, progress) to standard error; progress is shown on
a terminal only. `--json` prints one JSON document on standard output and nothing else there. Without a command, the
help is shown with exit code 2.

| Exit code | Meaning |
|---|---|
| 0 | Done. A mailbox that refuses us is parked and named, and the others are read: that is still 0 |
| 1 | A person must look: a rule failed, an export can't be read, a safety limit was reached; `explain` knows nothing |
| 2 | The command line makes no sense |
| 3 | Configuration or credentials: every problem is named, nothing was done |
| 4 | `audit --fail-on`: there are findings at or above that severity |
| 75 | Temporary: a service can't answer now, the API budget is used up, or another process works on this store |
| 130 | Interrupted by Ctrl-C; the same command goes on where it was |

| Variable | Meaning |
|---|---|
| `LEAKWATCH_CONFIG` | The settings file, where `--config` is not given |
| `LEAKWATCH_SECTION__KEY` | One setting, stronger than the file (see [configuration](configuration.md)) |
| `LEAKWATCH_NOW` | The time to begin at, for a sandbox on this machine only: its time is not ours |
| `LEAKWATCH_TRACEBACK` | `1` shows where a fault of leakwatch itself was; for reporting it |
"""


def reference() -> str:
    """Return the text of `docs/cli.md`."""
    parts = [HEAD]
    parts += ["\n".join(_section(path, command)) for path, command in _commands(("leakwatch",), _root())]
    return "\n".join(parts) + "\n"


def commands() -> list[tuple[tuple[str, ...], Any]]:
    """Return every command with its words: (("leakwatch", "rules", "list"), command)."""
    return list(_commands(("leakwatch",), _root()))


def _root() -> Any:
    return typer.main.get_command(app)


def _commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, entry in below.items():
        yield from _commands((*path, name), entry)


def _section(path: tuple[str, ...], command: Any) -> Iterator[str]:
    words = [f"<{_label(item)}>" for item in command.params if item.param_type_name == "argument" and item.required]
    words += [
        f"[{_label(item)}]" for item in command.params if item.param_type_name == "argument" and not item.required
    ]
    yield f"## {' '.join(path)}"
    yield ""
    yield " ".join((command.help or "").split())
    yield ""
    yield "```"
    yield " ".join([*path, *words, "[options]"])
    yield "```"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for item in command.params:
        yield f"| {_names(item)} | {_meaning(item)} |"
    yield ""


def _label(item: Any) -> str:
    return f"{item.name}{'...' if item.nargs == -1 else ''}"


def _names(item: Any) -> str:
    if item.param_type_name == "argument":
        return f"`{_label(item)}`"
    return ", ".join(f"`{name}`" for name in (*item.opts, *item.secondary_opts))


def _meaning(item: Any) -> str:
    text = " ".join((getattr(item, "help", None) or "").split())
    annotation = getattr(getattr(item, "type_descriptor", None), "annotation", None)
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    if choices:
        text += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    default = item.default() if callable(item.default) else item.default
    if default not in (None, False, (), []) and item.param_type_name == "option":
        text += f" Default: `{str(default).lower() if isinstance(default, bool) else default}`."
    return text.replace("|", "\\|").strip()


if __name__ == "__main__":
    sys.stdout.write(reference())
