"""What was changed of the settings of a running org, in a file, so that it holds when the folder is opened again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leakwatch.sandbox.org.settings import CHANGEABLE, OrgSettings, check

FILE = "settings.json"


class KeptChanges:
    """The changes of one folder, put into `settings` at once; raises ValueError where the file holds no such."""

    def __init__(self, folder: Path, settings: OrgSettings) -> None:
        self._file = folder / FILE
        self._settings = settings
        self._changed: dict[str, Any] = {}
        if self._file.exists():
            self._changed = json.loads(self._file.read_text(encoding="utf-8"))
            check(CHANGEABLE, self._changed)
            self._set(self._changed)

    def add(self, changes: Mapping[str, Any]) -> None:
        """Keep changes that were checked, and put them into the settings."""
        self._changed |= changes
        self._file.write_text(json.dumps(self._changed, sort_keys=True), encoding="utf-8")
        self._set(changes)

    def _set(self, changes: Mapping[str, Any]) -> None:
        for name, value in changes.items():
            setattr(self._settings, name, value)
