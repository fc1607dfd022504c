"""The child process of `isolated.py`: limits itself, runs exactly one SELECT, writes rows as JSON lines, ends.

Started in isolated mode with no environment and a job on standard input. Exit code 3 and one line on standard error say
what went wrong.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any


def main() -> int:
    """Run the job on standard input; return the exit code."""
    job: dict[str, Any] = json.load(sys.stdin)
    limits: dict[str, int] = job["limits"]
    _limit(limits)
    import duckdb

    from leakwatch.rule_engine.isolated import encode

    try:
        statements = duckdb.extract_statements(job["sql"])
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise ValueError("exactly one SELECT is allowed")
        connection = duckdb.connect(
            job["snapshot"],
            read_only=True,
            config={
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": f"{limits['memory_mb']}MB",
                "threads": "1",
                "temp_directory": job["folder"],
                "max_temp_directory_size": f"{limits['temp_mb']}MB",
            },
        )
        connection.execute("SET enable_progress_bar=false")
        connection.execute("SET lock_configuration=true")
        result = connection.execute(job["sql"])
        sys.stdout.write(json.dumps([column[0] for column in result.description or ()]) + "\n")
        count = 0
        while rows := result.fetchmany(5_000):
            count += len(rows)
            if count > limits["max_rows"]:
                raise ValueError(f"returned more than {limits['max_rows']} rows")
            sys.stdout.writelines(json.dumps([encode(value) for value in row]) + "\n" for row in rows)
    except (duckdb.Error, ValueError, TypeError) as error:
        sys.stderr.write(str(error).splitlines()[0][:300] + "\n")
        return 3
    sys.stdout.flush()
    return 0


def _limit(limits: dict[str, int]) -> None:
    cpu = limits["cpu_seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 2))
    megabyte = 1024 * 1024
    resource.setrlimit(
        resource.RLIMIT_AS, (limits["address_space_mb"] * megabyte, limits["address_space_mb"] * megabyte)
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["temp_mb"] * megabyte, limits["temp_mb"] * megabyte))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
