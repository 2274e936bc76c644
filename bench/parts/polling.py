"""`fal_op_poll` on an operation that has ended."""

import re
import tempfile
from pathlib import Path

from tables import ratio, spread, table

TITLE = "`fal_op_poll` on an operation that has ended"
NOTE = "Beside a call of an empty function through a pointer. System calls are those of the polling thread, by strace."
TIMED, TRACED = 10_000_000, 1_000_000


def measure(bench):
    with bench.server() as port:
        command = [bench.programs / "poll-c", f"http://127.0.0.1:{port}/bench/200"]
        runs = bench.rounds({"poll": [*command, TIMED]}, 7)["poll"]
        with tempfile.TemporaryDirectory() as folder:
            trace = Path(folder) / "trace"
            bench.run("strace", "-f", "-o", trace, *command, TRACED)
            return {"runs": runs, "system_calls": calls_between(trace)}


def calls_between(trace):
    """The system calls of the thread that calls getppid, between its two calls of it."""
    with trace.open() as lines:
        thread = next(line.split()[0] for line in lines if re.match(r"\d+\s+getppid\(", line))
        count = 0
        for line in lines:
            # A call that another thread's interrupts has a second line.
            if line.split()[0] == thread and "resumed>" not in line:
                if "getppid(" in line:
                    return count
                count += 1
    raise AssertionError("the polls did not end")


def show(found):
    poll, empty = ([run[name] for run in found["runs"]] for name in ["poll_ns", "empty_ns"])
    heads = ["ns a call", "an empty function", "libfal ÷ it", f"system calls of {TRACED:,} polls"]
    return [table(heads, [[spread(poll), spread(empty), ratio(poll, empty), f"{found['system_calls']:,}"]])]
