"""Runs checks, prints one line for each, and exits with 1 when one failed."""

import sys
import traceback

failed = []


def check(words):
    """A decorator that runs a function immediately, as a check of that name."""

    def run(function):
        try:
            function()
            print(f"ok      {words}")
        except Exception:
            failed.append(words)
            print(f"FAILED  {words}")
            traceback.print_exc(file=sys.stdout)

    return run


def finish():
    sys.exit(1 if failed else 0)
