"""Measures libfal beside its peers, and writes bench/results.md, results.json and cost.svg.

    run.py PROGRAMS VENV [PART ...] [--quick]

PROGRAMS is the folder of the built programs, VENV holds the Python clients. The parts are rust, c, tls, growth, counts,
python, start and size; by default all. All peers of a row run in turn, A B C A B C, and a figure is the median of the rounds
with the lowest and the highest beside it. A ratio is libfal's figure divided by the peer's.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


class Bench:
    def __init__(self, programs, venv, quick):
        self.programs, self.python, self.quick = programs, venv / "bin" / "python", quick
        self.results, self.text = {}, []
        environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(("FAL_", "HTTP", "ALL_P", "NO_P"))}
        self.environment = environment | {"HOME": tempfile.mkdtemp(), "LD_LIBRARY_PATH": str(programs)}

    def run(self, *command):
        done = subprocess.run([str(word) for word in command], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr}")
        return done

    def measured(self, *command):
        return json.loads(self.run(*command).stdout.splitlines()[-1])

    @contextlib.contextmanager
    def server(self, *arguments):
        process = subprocess.Popen(
            [str(self.programs / "bench-server"), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait()

    def rounds(self, peers, rounds):
        """The figures of each peer, each round's after the other's."""
        rounds = 2 if self.quick else rounds
        found = {name: [] for name in peers}
        for _ in range(rounds):
            for name, command in peers.items():
                found[name].append(self.measured(*command))
        return found

    def section(self, name, title, note=""):
        self.text += ["", f"## {title}", ""] + ([note, ""] if note else [])
        return self.results.setdefault(name, {})

    def table(self, heads, rows):
        self.text += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        self.text += ["| " + " | ".join(row) + " |" for row in rows]
        print("\n".join(self.text[-len(rows) - 2 :]), flush=True)


def spread(values, digits=0):
    middle = statistics.median(values)
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def rate(run):
    return run["requests"] / run["seconds"]


def cpu(run):
    return run["cpu_seconds"] / run["requests"] * 1e6


def compare(bench, section, peers, requests_in_flight, rounds, subject="libfal"):
    """A table of peers that do the same work."""
    found = bench.rounds(peers, rounds)
    section.update({f"{requests_in_flight}": found})
    median = lambda name, of: statistics.median(map(of, found[name]))  # noqa: E731
    rows = []
    for name, runs in found.items():
        rows.append(
            [
                name,
                spread(list(map(rate, runs))),
                f"{median(subject, rate) / median(name, rate):.2f}",
                spread([run["median_us"] for run in runs]),
                spread(list(map(cpu, runs)), 1),
                f"{median(subject, cpu) / median(name, cpu):.2f}",
            ]
        )
    bench.table([f"{requests_in_flight} in flight", "requests/s", "libfal ÷ it", "median µs", "CPU µs a request", "libfal ÷ it"], rows)
    bench.text.append("")


def c(bench):
    section = bench.section("c", "C, and the Rust clients that libfal is built on", "200-byte responses, HTTP/1.1 with keep-alive, loopback.")
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        for in_flight, requests in [(1, 5_000), (64, 40_000)]:
            peers = {"libfal": [bench.programs / "libfal-c"], "libcurl": [bench.programs / "curl-c"], "raw sockets, the floor": [bench.programs / "raw-c"]}
            peers = {name: [*command, url, requests, in_flight] for name, command in peers.items()}
            for name, client in [("reqwest alone", "reqwest"), ("hyper-util alone", "hyper")]:
                for workers in [1, 2]:
                    peers[f"{name}, {workers} workers"] = [bench.programs / "bench-peer", client, workers, url, requests, in_flight]
            peers["libfal in Rust, 2 workers"] = [bench.programs / "bench-peer", "fal", 2, url, requests, in_flight]
            compare(bench, section, peers, in_flight, 5)


def tls(bench):
    section = bench.section("tls", "C over TLS", "The same over kept-alive TLS connections; both clients choose HTTP/2 by ALPN.")
    folder = tempfile.mkdtemp()
    with bench.server("--tls", folder) as port:
        url, ca = f"https://localhost:{port}/bench/200", Path(folder) / "ca.pem"
        for in_flight, requests in [(1, 3_000), (64, 15_000)]:
            peers = {name: [bench.programs / f"{name}-c", url, requests, in_flight, ca] for name in ["libfal", "curl"]}
            compare(bench, section, peers, in_flight, 5)


def growth(bench):
    section = bench.section("growth", "How cost grows")
    with bench.server() as port:
        for size, work in [(200, [1, 8, 64, 512, 4096]), (64 << 10, [1, 8, 64, 512]), (16 << 20, [1, 8])]:
            rows = []
            for in_flight in work:
                requests = {200: 20_000, 64 << 10: 6_000, 16 << 20: 60}[size]
                url = f"http://127.0.0.1:{port}/bench/{size}"
                peers = {name: [bench.programs / f"{name}-c", url, requests, in_flight] for name in ["libfal", "curl"]}
                found = bench.rounds(peers, 3)
                section[f"{size}/{in_flight}"] = found
                row = [f"{in_flight}"]
                for of in (rate, cpu):
                    ours, theirs = (statistics.median(map(of, found[name])) for name in ["libfal", "curl"])
                    row += [f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.2f}"]
                rows.append(row)
            heads = ["in flight", "libfal: requests/s", "libcurl", "ratio", "libfal: CPU µs", "libcurl", "ratio"]
            bench.text += [f"Responses of {size:,} bytes:", ""]
            bench.table(heads, rows)
            bench.text.append("")
    picture(bench)


def picture(bench):
    script = HERE / "picture.py"
    (HERE / "results.json").write_text(json.dumps(bench.results, indent=1) + "\n")
    bench.run(bench.python, script, HERE / "results.json", HERE / "cost.svg")
    bench.text += ["![CPU time of a request by the number in flight](cost.svg)", ""]


def counts(bench):
    section = bench.section("counts", "Instructions and allocations of a request", "Of the process, by callgrind and valgrind: 1,100 requests one at a time less 100.")
    rows = []
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        commands = {"libfal": [bench.programs / "libfal-c", url], "libcurl": [bench.programs / "curl-c", url]}
        commands |= {name: [bench.programs / "bench-peer", name, 1, url] for name in ["reqwest", "hyper"]}
        for name, command in commands.items():
            figures = {}
            for tool, pattern in [("callgrind", r"Collected : (\d+)"), ("memcheck", r"total heap usage: ([\d,]+) allocs, [\d,]+ frees, ([\d,]+) bytes")]:
                values = []
                for requests in [100, 1100]:
                    options = ["--tool=" + tool] + (["--callgrind-out-file=/dev/null"] if tool == "callgrind" else ["--leak-check=no", "--undef-value-errors=no"])
                    text = bench.run("valgrind", *options, *command, requests, 1).stderr
                    values.append([int(value.replace(",", "")) for value in re.search(pattern, text).groups()])
                figures[tool] = [(after - before) / 1000 for before, after in zip(*values)]
            section[name] = figures
            allocations, size = figures["memcheck"]
            rows.append([name, f"{figures['callgrind'][0]:,.0f}", f"{allocations:,.1f}", f"{size:,.0f}"])
    bench.table(["client", "instructions", "allocations", "bytes allocated"], rows)


def python(bench):
    section = bench.section("python", "Python", "200-byte responses, the release wheel.")
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        peer = [bench.python, HERE / "python" / "peer.py"]
        names = ["libfal", "pycurl", "primp", "pyreqwest", "httpx", "requests", "fal_client", "raw"]
        compare(bench, section, {name: [*peer, name, url, 3_000, 1] for name in names}, 1, 5)
        names = ["async-aiohttp", "async-pyreqwest", "async-primp", "async-httpx"]
        compare(bench, section, {name: [*peer, name, url, 6_400, 32] for name in names}, 32, 3, subject="async-pyreqwest")


def start(bench):
    section = bench.section("start", "Start of a process", "Wall time of whole processes, less that of a bare one, and the most resident memory above it.")
    rows, rounds = [], 5 if bench.quick else 25
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        groups = {
            "import": {"python": ["-c", "pass"], "libfal": ["-c", "import libfal"], "fal_client": ["-c", "import fal_client"]},
            "first response in Python": {"python": ["-c", "pass"], "libfal": [HERE / "python" / "peer.py", "libfal", url, 1, 1]},
        }
        for group, peers in groups.items():
            peers = {name: [bench.python, *arguments] for name, arguments in peers.items()}
            rows += above(bench, section, group, peers, rounds)
        peers = {"bare": ["/bin/true"], "libfal": [bench.programs / "libfal-c", url, 1, 1], "libcurl": [bench.programs / "curl-c", url, 1, 1]}
        rows += above(bench, section, "first responses in C", peers, rounds)
    bench.table(["what", "program", "ms above bare", "MiB above bare"], rows)


def above(bench, section, group, peers, rounds):
    took, memory = ({name: [] for name in peers} for _ in range(2))
    for _ in range(rounds):
        for name, command in peers.items():
            begun = time.perf_counter()
            process = subprocess.Popen([str(word) for word in command], env=bench.environment, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            took[name].append((time.perf_counter() - begun) * 1e3)
            memory[name].append(usage.ru_maxrss / 1024)
            process.returncode = status
            assert status == 0, command
    section[group] = {"ms": took, "MiB": memory}
    bare, *others = peers
    less = lambda figures, name: statistics.median(figures[name]) - statistics.median(figures[bare])  # noqa: E731
    return [[group, name, f"{less(took, name):.1f}", f"{less(memory, name):.1f}"] for name in others]


def size(bench):
    section = bench.section("size", "Size of the libraries")
    sizes = {name: (bench.programs / name).stat().st_size for name in ["libfal.so", "libfal.a"]}
    with tempfile.NamedTemporaryFile() as stripped:
        bench.run("strip", "-o", stripped.name, bench.programs / "libfal.so")
        sizes["libfal.so, stripped"] = Path(stripped.name).stat().st_size
    section.update(sizes)
    bench.table(["file", "MB"], [[name, f"{value / 1e6:.1f}"] for name, value in sizes.items()])


PARTS = {part.__name__: part for part in [c, tls, growth, counts, python, start, size]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=Path)
    parser.add_argument("venv", type=Path)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--quick", action="store_true", help="few rounds, to try the programs")
    arguments = parser.parse_args()
    bench = Bench(arguments.programs.resolve(), arguments.venv.absolute(), arguments.quick)
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    bench.text += ["# Results", "", f"{os.cpu_count()} × {model[1] if model else platform.machine()}, Linux {platform.release()}. See README.md for how they were taken."]
    for part in arguments.parts or PARTS:
        PARTS[part](bench)
    (HERE / "results.json").write_text(json.dumps(bench.results, indent=1) + "\n")
    (HERE / "results.md").write_text("\n".join(bench.text).strip() + "\n")


main()
