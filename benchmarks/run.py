"""Runs the benchmarks and prints a table of each: `make bench`, or `make bench ARGS="mail_capture --pairs 3"`.

Exit code 1 where a target is missed by more than 25 %; a void run (a machine too busy to say anything) is not a
failure. What was measured is kept as JSON under benchmarks/results/. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time

import measure

NAMES = (
    "gmail_decode",
    "mail_plan",
    "mail_capture",
    "rerun",
    "export_audit",
    "sandbox_serve",
    "matching",
    "mail_cost",
    "many_mailboxes",
)


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones (all: {', '.join(NAMES)})")
    parser.add_argument("--pairs", type=int, default=None, help="pairs of runs (5; 3 for the large ones)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the work, to try things out (1.0)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; known: {', '.join(NAMES)}")
    where = measure.machine()
    print(f"{where['cores']} cores, load average {where['load']}, Python {where['python']}, commit {where['commit']}")
    if where["load"][0] > (os.cpu_count() or 1):
        print("The machine is busy: CPU seconds of one and the same run vary then. Ratios vary less.")
    failed = False
    for name in arguments.names or NAMES:
        started = time.perf_counter()
        outcome = importlib.import_module(name).run(pairs=arguments.pairs, scale=arguments.scale)
        measure.show(outcome)
        path = measure.keep(outcome, where | {"load_after": os.getloadavg()})
        print(f"  {time.perf_counter() - started:.0f} s; {path.relative_to(measure.HERE.parent)}")
        failed = failed or outcome.failed
    print(f"\nload average at the end {[round(one, 2) for one in os.getloadavg()]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
