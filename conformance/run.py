"""Runs clients that were not written here against the sandbox and prints what passed: `make conformance`.

    make conformance ARGS="jsforce tap_salesforce"    only these
    make conformance ARGS=--verbose                   every check by name

Each client is installed from its registry (PyPI, npm) into build/conformance, unmodified, and meets a sandbox of its
own with a fresh world. Clients that know Salesforce's own host names alone reach it by HTTPS_PROXY; all trust its CA
by the environment. Exit code 1 where a check fails or a client does not finish, 2 where one can't be installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "build" / "conformance"
_STARTS_WITHIN = 120  # seconds, on a busy machine
_RUNS_WITHIN = 900  # seconds
_STOPS_WITHIN = 20  # seconds
_SHOWN = 2000  # characters of what a failed program said


class SetupError(Exception):
    """A client can't be installed, or the sandbox does not start."""


@dataclass(frozen=True)
class Client:
    """One client: the script of its checks, and how it reaches the sandbox."""

    name: str
    script: str
    proxied: bool
    mail: bool = False
    """Whether it needs mailboxes too, at Microsoft."""

    @property
    def is_node(self) -> bool:
        """Whether it is a package of npm."""
        return self.script.endswith(".mjs")

    @property
    def wanted(self) -> str:
        """The package and its version."""
        if self.is_node:
            wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
            return " ".join(f"{name} {version}" for name, version in wanted.items())
        return (HERE / f"{self.name}.txt").read_text(encoding="utf-8").strip().replace("==", " ")


CLIENTS = {
    client.name: client
    for client in (
        Client("simple_salesforce", "simple_salesforce_client.py", proxied=True),
        Client("jsforce", "jsforce_client.mjs", proxied=False),
        Client("aiosalesforce", "aiosalesforce_client.py", proxied=True),
        Client("tap_salesforce", "tap_salesforce_client.py", proxied=True),
        Client("msal", "msal_client.py", proxied=False, mail=True),
    )
}


#: Graph v1.0 described by itself (CSDL), of August 2026.
GRAPH_CSDL = (
    "https://raw.githubusercontent.com/microsoftgraph/msgraph-metadata/f54f11b60956ea7b185ca0447b2b80805836ec7b/"
    "clean_v10_metadata/cleanMetadata.xml"
)


def graph_csdl() -> Path:
    """The description of Graph: the file that GRAPH_CSDL names, or fetched once from where it is published."""
    given = os.environ.get("GRAPH_CSDL")
    path = Path(given) if given else WORK / "graph-v1.0.xml"
    if not path.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(GRAPH_CSDL, timeout=60) as answer:
                data = answer.read()
        except OSError as error:
            raise SetupError(f"{GRAPH_CSDL}: {error}; name a copy of it by GRAPH_CSDL=FILE") from error
        path.write_bytes(data)
    return path


def install(client: Client) -> list[str]:
    """Install the client, once for each version; the command that runs its checks."""
    home = WORK / client.name
    source = HERE / ("package.json" if client.is_node else f"{client.name}.txt")
    stamp, wanted = home / "installed", source.read_text(encoding="utf-8")
    script = str(HERE / client.script)
    command = ["node", script] if client.is_node else [str(home / "bin" / "python"), "-B", script]
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return command
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if client.is_node:
        for tool in ("node", "npm"):
            if shutil.which(tool) is None:
                raise SetupError(f"{client.name} needs {tool}, and there is none here")
        shutil.copy(source, home)
        steps = [["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]]
    else:
        steps = [
            [sys.executable, "-m", "venv", str(home)],
            [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "-r", str(source)],
        ]
    for step in steps:
        done = subprocess.run(step, cwd=home, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SetupError(f"{' '.join(step)}\n{(done.stderr or done.stdout)[-_SHOWN:]}")
    stamp.write_text(wanted, encoding="utf-8")
    return command


@contextlib.contextmanager
def sandbox(client: Client) -> Iterator[Path]:
    """Serve a fresh world; where its sandbox.json is."""
    folder = WORK / "sandbox" / client.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    info, log = folder / "sandbox.json", folder / "served.log"
    command = [sys.executable, "-m", "leakwatch", "sandbox", "serve", "--world", "small", "--dir", str(folder)]
    command += ["--mailboxes", "microsoft"] if client.mail else ["--no-google"]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--proxy-port", "0"], stdout=out, stderr=out)
    try:
        until = time.monotonic() + _STARTS_WITHIN
        while not info.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise SetupError(f"the sandbox does not start\n{log.read_text(encoding='utf-8')[-_SHOWN:]}")
            time.sleep(0.1)
        yield info
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment(client: Client, info: Path) -> dict[str, str]:
    """What the client is started with: the sandbox's CA, its proxy, and where its card lies."""
    card = json.loads(info.read_text(encoding="utf-8"))
    ours = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    kept = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), card["ca_file"])
    given = {"SANDBOX_INFO": str(info), "NODE_PACKAGES": str(WORK / client.name), "PYTHONIOENCODING": "utf-8"}
    proxy = {"HTTPS_PROXY": card["proxy"]["url"], "NO_PROXY": "localhost"} if client.proxied else {}
    described = {"GRAPH_CSDL": str(graph_csdl())} if client.mail else {}
    return kept | trusted | given | proxy | described


def run(client: Client) -> list[dict[str, Any]]:
    """All checks of a client, each with how it ended. A client that breaks off has one more, failed."""
    command = install(client)
    with sandbox(client) as info:
        try:
            done = subprocess.run(
                command, env=environment(client, info), capture_output=True, encoding="utf-8", errors="replace",
                timeout=_RUNS_WITHIN, check=False,
            )  # fmt: skip
            out, said = done.stdout, done.stderr if done.returncode else ""
        except subprocess.TimeoutExpired as error:
            out, said = str(error.stdout or ""), f"not done within {_RUNS_WITHIN} seconds"
        served = (info.parent / "served.log").read_text(encoding="utf-8")
    checks = [json.loads(line) for line in out.splitlines() if line.startswith('{"check"')]
    if said or not checks:
        why = said[-_SHOWN:] or "it printed no check"
        checks.append({"check": "the checks run to their end", "outcome": "failed", "why": why})
    if "Traceback" in served:
        checks.append({"check": "the sandbox itself does not fail", "outcome": "failed", "why": served[-_SHOWN:]})
    return checks


def report(client: Client, checks: list[dict[str, Any]], *, verbose: bool) -> Counter[str]:
    """Print what is to be seen of one client; how many checks ended which way."""
    ended = Counter[str](one["outcome"] for one in checks)
    print(f"{client.wanted}: " + ", ".join(f"{ended[how]} {how}" for how in ("passed", "not emulated", "failed")))
    for one in checks:
        if verbose or one["outcome"] == "failed":
            print(f"  {one['outcome']:<13}{one['check']}")
        if one["outcome"] == "failed":
            print(f"{'':<15}{one['why']}")
    if not verbose and ended["not emulated"]:
        print("  named as not emulated: " + "; ".join(c["check"] for c in checks if c["outcome"] == "not emulated"))
    sys.stdout.flush()
    return ended


def main() -> int:
    """Run what was asked for; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"which ones (all: {', '.join(CLIENTS)})")
    parser.add_argument("--verbose", action="store_true", help="name every check")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.clients if name not in CLIENTS]:
        parser.error(f"no client is called {', '.join(unknown)}; known: {', '.join(CLIENTS)}")
    chosen = [CLIENTS[name] for name in arguments.clients or CLIENTS]
    totals: dict[str, Counter[str]] = {}
    for client in chosen:
        try:
            totals[client.wanted] = report(client, run(client), verbose=arguments.verbose)
        except SetupError as error:
            print(f"{client.wanted}: {error}", file=sys.stderr)
            return 2
    print(f"\n{'client':<28}{'passed':>8}{'not emulated':>14}{'failed':>8}")
    for name, ended in totals.items():
        print(f"{name:<28}{ended['passed']:>8}{ended['not emulated']:>14}{ended['failed']:>8}")
    return 1 if any(ended["failed"] for ended in totals.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
