"""Python."""

from tables import REQUESTS, compared

TITLE = "Python"
NOTE = "200-byte responses, the release wheel."
ONE = ["libfal", "pycurl", "primp", "pyreqwest", "httpx", "requests", "fal_client", "raw"]
ASYNC = ["libfal", "aiohttp", "pyreqwest", "primp", "httpx"]
# Clients that take several times as long send fewer requests.
SLOW = {"httpx": 5, "requests": 5, "fal_client": 5}


def measure(bench):
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        one, many = bench.script("peer"), bench.script("peer_async")
        return {
            "1": bench.rounds({name: [*one, name, url, 2_500 // SLOW.get(name, 1)] for name in ONE}, 5),
            "32": bench.rounds({name: [*many, name, url, 6_400 // SLOW.get(name, 1), 32] for name in ASYNC}, 5),
        }


def show(found):
    heads = {"1": "one at a time", "32": "asyncio, 32 in flight"}
    return [compared(head, REQUESTS, found[in_flight], "libfal") for in_flight, head in heads.items()]
