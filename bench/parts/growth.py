"""How cost grows with the number of requests in flight and with their size."""

from harness import HERE, replaced
from tables import cpu, rate, ratio, spread, table

TITLE = "How cost grows"
NOTE = (
    "HTTP/1.1 with keep-alive, loopback. libfal sends at most 128 runs of a client at once, so above 128 in flight the others wait"
    " for their turn. The server copies large bodies on one thread, so requests/s may be its limit; CPU a request is the client's own."
    "\n\n![CPU time of a request by the number in flight](cost.svg)"
)
# The sizes of the responses in bytes, the numbers of requests, and how many of them are in flight. More of the largest would measure
# how fast the kernel provides memory.
WORK = [(200, 16_000, [1, 8, 64, 512, 4096]), (64 << 10, 4_000, [1, 8, 64, 512, 4096]), (16 << 20, 24, [1, 8])]


def measure(bench):
    found = {}
    with bench.server() as port:
        for size, requests, loads in WORK:
            for in_flight in loads:
                if in_flight + 100 > bench.most_files:
                    continue
                url = f"http://127.0.0.1:{port}/bench/{size}"
                peers = {name: [bench.programs / f"{name}-c", url, max(requests, 2 * in_flight), in_flight] for name in ["libfal", "curl"]}
                found[f"{size}/{in_flight}"] = bench.rounds(peers, 3)
    return found


def show(found):
    tables = []
    for size, _, _ in WORK:
        rows = []
        for key, runs in found.items():
            of_size, in_flight = key.split("/")
            if int(of_size) != size:
                continue
            rows.append([in_flight])
            for of in (rate, cpu):
                ours, theirs = (list(map(of, runs[name])) for name in ["libfal", "curl"])
                rows[-1] += [spread(ours), spread(theirs), ratio(ours, theirs)]
        heads = ["in flight", "libfal: requests/s", "libcurl", "libfal ÷ it", "libfal: CPU µs a request", "libcurl", "libfal ÷ it"]
        tables.append(f"Responses of {size:,} bytes:\n\n" + table(heads, rows))
    return tables


def draw(bench, folder):
    with replaced(folder / "cost.svg") as picture:
        bench.run(bench.python, HERE / "picture.py", folder / "results.json", picture)
