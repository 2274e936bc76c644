"""C over TLS."""

import tempfile
from pathlib import Path

from tables import REQUESTS, compared

TITLE = "C over TLS"
NOTE = (
    "The same over kept-alive TLS connections. Both clients offer HTTP/1.1 and HTTP/2 by ALPN, and the server chooses one. It does TLS"
    " on one thread, so requests/s may be its limit; CPU a request is the client's own."
)
PROTOCOLS = {"http/1.1": "HTTP/1.1", "h2": "HTTP/2"}


def measure(bench):
    found = {}
    for protocol in PROTOCOLS:
        with tempfile.TemporaryDirectory() as folder, bench.server("--tls", folder, protocol) as port:
            url, ca = f"https://localhost:{port}/bench/200", Path(folder) / "ca.pem"
            for in_flight, requests in [(1, 2_000), (64, 10_000)]:
                peers = {name: [bench.programs / f"{program}-c", url, requests, in_flight, ca] for name, program in [("libfal", "libfal"), ("libcurl", "curl")]}
                found[f"{protocol} {in_flight}"] = bench.rounds(peers, 5)
    return found


def show(found):
    tables = []
    for key, peers in found.items():
        protocol, in_flight = key.split()
        tables.append(compared(f"{PROTOCOLS[protocol]}, {in_flight} in flight", REQUESTS, peers))
    return tables
