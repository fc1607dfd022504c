#!/usr/bin/env python3
"""Refuse files that must never be committed: private keys, and files too large for a source repository.

Called by the commit hook with the files to be committed; exits 1 and names each offender.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 1_000_000  # the locks and the largest fixture are far below; anything larger belongs elsewhere
PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}")
SERVICE_ACCOUNT = re.compile(rb'"private_key"\s*:\s*"-----BEGIN')


def problems(path: Path) -> Iterator[str]:
    """Yield why `path` must not be committed."""
    if path.is_symlink() or not path.is_file():
        return
    size = path.stat().st_size
    if size > MAX_BYTES:
        yield f"{path}: {size:,} bytes; at most {MAX_BYTES:,} go into the repository"
        return
    content = path.read_bytes()
    if PRIVATE_KEY.search(content) or SERVICE_ACCOUNT.search(content):
        yield f"{path}: holds a private key; keep it outside and name its path in the configuration"


def main(names: list[str]) -> int:
    """Return 0 if all files named may be committed, else 1, with a line for each that may not."""
    found = [problem for name in names for problem in problems(Path(name))]
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
