"""The smallest harness: checks by name, in order."""

import sys
import traceback

passed = failed = 0


def check(name):
    """Runs the function it decorates, at once; goes on whether it held or not."""
    def run(body):
        global passed, failed
        try:
            body()
        except Exception:
            failed += 1
            print(f"FAILED  {name}: {traceback.format_exc()}", flush=True)
        else:
            passed += 1
            print(f"ok      {name}", flush=True)
    return run


def same(expected, got):
    if expected != got:
        raise AssertionError(f"expected {expected!r:.80}, got {got!r:.80}")


def report():
    """The line that counts; ends the process."""
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)
