"""Objects' own rules: what Salesforce fills in, refuses and sets off when such a row is written.

Each module of this package gives its objects' rules in `RULES`, by object; a new part is a new file.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from leakwatch.sandbox.org.engine import Rules


def _found() -> dict[str, Rules]:
    rules: dict[str, Rules] = {}
    for module in sorted(iter_modules(__path__), key=lambda one: one.name):
        mine: dict[str, Rules] = getattr(import_module(f"{__name__}.{module.name}"), "RULES", {})
        if twice := rules.keys() & mine.keys():
            raise RuntimeError(f"two modules have rules for {', '.join(sorted(twice))}")
        rules |= mine
    return rules


RULES: dict[str, Rules] = _found()
"""The rules of each object that has some."""
