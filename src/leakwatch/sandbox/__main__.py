"""`python -m leakwatch.sandbox serve`: the emulators alone."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from leakwatch.sandbox.filling import NoRoomError
from leakwatch.sandbox.folder import FolderBusyError, ServeError
from leakwatch.sandbox.google.quota import PROFILES
from leakwatch.sandbox.org.errors import OrgError
from leakwatch.sandbox.server import Options, serve
from leakwatch.sandbox.wire import PortError
from leakwatch.sandbox.world.builder import SIZES
from leakwatch.sandbox.world.check import WorldError
from leakwatch.sandbox.world.million import NAME as MILLION
from leakwatch.sandbox.world.model import PROVIDERS, World

#: Exit codes as in the rest of the program: 1 failure, 2 usage, 3 what was asked for can't be (a world file, a
#: port), 75 another process is at it.
EXIT_FAILURE, EXIT_ASKED, EXIT_BUSY = 1, 3, 75
ADVICE = "Nothing was done. Correct this, then run the command again."
MAX_PORT = 65_535


def default_deploy() -> Path | None:
    """The SFDX folder that travels with the package, or lies in the repository beside it."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_shipped" / "salesforce", package.parent.parent / "salesforce"):
        if any(folder.rglob("*.field-meta.xml")) or (folder / "sfdx-project.json").exists():
            return folder
    return None


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{port} is no port: 0 to {MAX_PORT}")
    return port


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="leakwatch sandbox", description="An emulated Salesforce org, Google Workspace and Microsoft 365."
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("serve", help="serve until SIGTERM or Ctrl-C")
    run.add_argument("--world", help="small (default), medium, large, million or a world file: for a new folder")
    run.add_argument("--dir", type=Path, required=True, help="where the state lives; the same one continues")
    run.add_argument("--seed", type=int, help="seed of a generated world (default 7)")
    run.add_argument("--scale", type=float, default=1.0, help="share of a generated world, to try it small (default 1)")
    run.add_argument("--port", "--salesforce-port", type=_port, default=0, dest="salesforce_port", help="of the org")
    run.add_argument("--login-port", type=_port, default=0, help="of the login host")
    run.add_argument("--google-port", type=_port, default=0)
    run.add_argument("--microsoft-port", type=_port, default=0)
    run.add_argument("--control-port", type=_port, default=0)
    run.add_argument("--proxy-port", type=_port, help="serve a proxy for Salesforce's own host names (0: a free port)")
    run.add_argument(
        "--mailboxes", choices=PROVIDERS, default=PROVIDERS[0], help="whose mailboxes a generated world has"
    )
    run.add_argument("--no-google", action="store_true", help="serve the org alone")
    run.add_argument("--mail", type=Path, metavar="MBOX", help="import real mail into one more mailbox")
    run.add_argument("--deploy", type=Path, metavar="SFDX_FOLDER", help="deploy its objects and fields (default: ours)")
    run.add_argument("--no-deploy", action="store_true", help="an org without our fields")
    run.add_argument("--insecure-http", action="store_true", help="plain HTTP, for clients without a CA option")
    run.add_argument("--info", type=Path, metavar="FILE", help="write sandbox.json here as well")
    run.add_argument("--reset", action="store_true", help="forget the folder's state, keep its keys")
    run.add_argument("--quota", choices=list(PROFILES), default="generous", help="quota of Gmail, Calendar and Graph")
    run.add_argument("--json", action="store_true", help="say what is served as JSON")
    make = verbs.add_parser("world", help="write a generated world as a file")
    make.add_argument("size", choices=(*SIZES, MILLION))
    make.add_argument("--seed", type=int, default=7)
    make.add_argument("--scale", type=float, default=1.0, help="share of it (default 1; million: 0.02 at most)")
    make.add_argument("--mailboxes", choices=PROVIDERS, default=PROVIDERS[0], help="whose mailboxes it has")
    make.add_argument("-o", "--output", type=Path, required=True)
    check = verbs.add_parser("check", help="check a world file")
    check.add_argument("file", type=Path)
    check.add_argument("--truth", action="store_true", help="also hold its truth against a second evaluation")
    return top


def _check_truth(world: World) -> int:
    """Print where the planted truth and the second evaluation differ."""
    from leakwatch.sandbox.world.state import audits
    from leakwatch.sandbox.world.truth import evaluate, planted

    differences = 0
    for now in audits(world):
        found, said = evaluate(world, now), planted(world, now)
        for rule, record in sorted(found ^ said):
            what = "is there but not in the truth" if (rule, record) in found else "is in the truth but not there"
            sys.stdout.write(f"{now.isoformat()} {rule} {record}: {what}\n")
            differences += 1
    if not differences:
        sys.stdout.write(f"the truth holds at each of the {world.days + 1} daily audits\n")
    return EXIT_FAILURE if differences else 0


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    given = parser().parse_args(arguments)
    try:
        if given.verb == "world":
            from leakwatch.sandbox.world.generate import generate

            body = generate(given.size, given.seed, scale=given.scale, mailboxes=given.mailboxes).as_json()
            given.output.write_text(json.dumps(body, ensure_ascii=False, indent=1), encoding="utf-8")
            return 0
        if given.verb == "check":
            from leakwatch.sandbox.world.reader import read_world

            world = read_world(given.file)
            sys.stdout.write(f"{given.file}: {len(world.records)} records and {len(world.mails)} mails can be played\n")
            return _check_truth(world) if given.truth else 0
        deploy = None if given.no_deploy else (given.deploy or default_deploy())
        return serve(
            Options(
                world=given.world,
                folder=given.dir.absolute(),
                seed=given.seed,
                scale=given.scale,
                salesforce_port=given.salesforce_port,
                login_port=given.login_port,
                google_port=given.google_port,
                microsoft_port=given.microsoft_port,
                mailboxes=given.mailboxes,
                control_port=given.control_port,
                proxy_port=given.proxy_port,
                google=not given.no_google,
                mail=given.mail,
                deploy=deploy,
                insecure_http=given.insecure_http,
                info=given.info,
                reset=given.reset,
                quota=given.quota,
                as_json=given.json,
            )
        )
    except WorldError as error:
        return _refuse(error.problems, EXIT_ASKED)
    except OrgError as error:  # what is to be deployed can't be
        return _refuse([error.message], EXIT_ASKED)
    except FolderBusyError as error:
        return _refuse([str(error)], EXIT_BUSY)
    except (ServeError, PortError, NoRoomError) as error:
        return _refuse([str(error)], EXIT_ASKED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {place}{error.strerror or type(error).__name__}\n")
        sys.stderr.write("What was stored before is kept. Check the path, its permissions and the free space.\n")
        return EXIT_FAILURE


def _refuse(problems: list[str], code: int) -> int:
    """Say what is wrong, that nothing was done, and how to go on; the exit code."""
    sys.stderr.writelines(f"error: {problem}\n" for problem in problems)
    sys.stderr.write(ADVICE + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
