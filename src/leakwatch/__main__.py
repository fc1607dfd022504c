"""`python -m leakwatch` is the `leakwatch` command."""

from leakwatch.cli import main

main()
