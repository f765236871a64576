"""A Python child's side of bench/children.ts: reports that it is ready, then measures a step for every line of input."""

import json
import sys
import time


def peak_memory():
    """Peak resident memory of this process so far, in bytes; None if the system does not report it."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return None


def say(answer):
    print(json.dumps(answer), flush=True)


def serve(start):
    """`start(settings)` gives facts and a function, whose call is measured unless it gives milliseconds itself."""
    try:
        facts, step = start(json.loads(sys.argv[-1]))
    except ImportError as error:
        return say({"unavailable": f"{error}."})
    say({"ready": facts})
    for _ in sys.stdin:
        began = time.perf_counter()
        measured = step()
        milliseconds = 1000 * (time.perf_counter() - began) if measured is None else measured
        say({"milliseconds": milliseconds, "rss": peak_memory()})
