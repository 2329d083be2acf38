"""One line for each check, and whether all went well."""

import sys
import traceback

failed = []


def check(words):
    """Runs a function at once as a check of that name."""

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
