"""Instructions and allocations."""

import re

from tables import compared

TITLE = "Instructions and allocations of a request"
NOTE = "Of the process, by callgrind and valgrind: 1,100 requests one at a time less 100, divided by 1,000."
TOOLS = {
    "callgrind": (["--callgrind-out-file=/dev/null"], r"Collected : (\d+)"),
    "memcheck": (["--leak-check=no", "--undef-value-errors=no"], r"total heap usage: ([\d,]+) allocs, [\d,]+ frees, ([\d,]+) bytes"),
}


def measure(bench):
    found = {}
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        commands = {"libfal": [bench.programs / "libfal-c", url], "libcurl": [bench.programs / "curl-c", url]}
        commands |= {name: [bench.programs / "bench-peer", name, 1, url] for name in ["reqwest", "hyper"]}
        for name, command in commands.items():
            found[name] = {}
            for tool, (options, pattern) in TOOLS.items():
                values = []
                for requests in [100, 1100]:
                    text = bench.run("valgrind", f"--tool={tool}", *options, *command, requests, 1).stderr
                    values.append([int(value.replace(",", "")) for value in re.search(pattern, text).groups()])
                found[name][tool] = [(after - before) / 1000 for before, after in zip(*values)]
    return found


def show(found):
    columns = {
        "instructions": lambda run: run["callgrind"][0],
        "allocations": lambda run: run["memcheck"][0],
        "bytes allocated": lambda run: run["memcheck"][1],
    }
    return [compared("client", columns, {name: [figures] for name, figures in found.items()})]
