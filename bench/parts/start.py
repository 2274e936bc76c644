"""The start of a process."""

import statistics

from tables import number, ratio, spread, table

TITLE = "Start of a process"
NOTE = "Whole processes less a bare one: wall time, and resident memory at most. A bare process is `true`, or Python that runs `pass`."
IMPORTS = ["fal_client", "httpx", "requests", "aiohttp", "pycurl", "primp", "pyreqwest.client"]
FIRSTS = ["fal_client", "httpx", "requests", "pycurl", "primp", "pyreqwest"]


def measure(bench):
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        once = [url, 1, 1]
        python = {"bare": [bench.python, "-c", "pass"]}
        groups = {
            "import": python | {name: [bench.python, "-c", f"import {name}"] for name in ["libfal", *IMPORTS]},
            "first response in Python": python | {name: [*bench.script("peer"), name, url, 1] for name in ["libfal", *FIRSTS]},
            "first response in C": {
                "bare": ["/bin/true"],
                "libfal": [bench.programs / "libfal-c", *once],
                "libcurl": [bench.programs / "curl-c", *once],
                "reqwest alone, 2 workers": [bench.programs / "bench-peer", "reqwest", 2, *once],
                "hyper-util alone, 2 workers": [bench.programs / "bench-peer", "hyper", 2, *once],
            },
        }
        return {group: bench.rounds(peers, 15, bench.process) for group, peers in groups.items()}


def show(found):
    tables = []
    for group, peers in found.items():
        columns = [("seconds", 1e3), ("mib", 1)]
        bare = {of: statistics.median(run[of] * scale for run in peers["bare"]) for of, scale in columns}
        above = {name: {of: [run[of] * scale - bare[of] for run in runs] for of, scale in columns} for name, runs in peers.items()}
        rows = [["bare process", number(bare["seconds"]), "", number(bare["mib"]), ""]]
        for name, figures in above.items():
            if name != "bare":
                rows.append([name])
                for of, _ in columns:
                    rows[-1] += [spread(figures[of], "+"), ratio(above["libfal"][of], figures[of])]
        tables.append(table([group, "ms", "libfal ÷ it", "MiB", "libfal ÷ it"], rows))
    return tables
