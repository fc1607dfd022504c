"""Named places at every write boundary where a crash test may kill the process. Does nothing in production.

A test installs a hook with `install`; the hook is called with the point's name and may end the process there.
"""

from __future__ import annotations

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def reach(name: str) -> None:
    """Tell the installed hook, if there is one, that the program reached the boundary `name`."""
    if _hook is not None:
        _hook(name)


def install(hook: Callable[[str], None] | None) -> None:
    """Install `hook` (tests only); `None` removes it."""
    global _hook  # noqa: PLW0603  one process-wide hook is the point
    _hook = hook
