"""Jobs of the queue."""

import itertools

from tables import compared, spread, table

TITLE = "Jobs of the queue"
NOTE = (
    "Jobs of 0.2 to 0.3 s, one after another: the requests of each as the server counts them, and the time from the end of the job at"
    " the server to its result in the program. Then jobs that never end, all at once: the growth of the resident memory of a C program,"
    " divided by their number."
)
JOBS, MANY = 12, 10_000
SETTLES = 8
WAYS = {"submit": "libfal, submitted and waited for", "attach": "libfal, attached to"}


def measure(bench):
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/job"
        peers = {"libfal": [bench.programs / "subscribe-c", url, JOBS], "fal_client": [*bench.script("subscribe"), url, JOBS]}
        waiting = f"http://127.0.0.1:{port}/bench/endless"
        many = {way: [bench.programs / "waiting-c", way, waiting, MANY, SETTLES] for way in WAYS}
        return {"one": bench.rounds(peers, 3), "many": bench.rounds(many, 2)}


def show(found):
    columns = {"requests": lambda job: job["requests"], "ms from end to result": lambda job: job["late_ms"]}
    jobs = {name: list(itertools.chain(*rounds)) for name, rounds in found["one"].items()}
    rows = []
    for way, runs in found["many"].items():
        each = [[(run[name] - run["before_kib"]) / run["jobs"] for run in runs] for name in ["after_kib", "peak_kib"]]
        rows.append([WAYS[way], *map(spread, each)])
    heads = [f"{MANY:,} jobs at once", f"KiB each after {SETTLES} s", "KiB each at most"]
    return [compared("a job", columns, jobs), table(heads, rows)]
