"""Python."""

from tables import REQUESTS, compared

TITLE = "Python"
NOTE = (
    "200-byte responses, the release wheel. libfal has no async interface: in asyncio a program runs its calls in threads,"
    " with `loop.run_in_executor`, or asks operations that it started whether they have ended."
)
ONE = ["libfal", "pycurl", "primp", "pyreqwest", "httpx", "requests", "fal_client", "raw"]
ASYNC = {"libfal in threads": "libfal_threads", "libfal, polled": "libfal_polled"} | {name: name for name in ["aiohttp", "pyreqwest", "primp", "httpx"]}
# Clients that take several times as long send fewer requests.
SLOW = {"httpx": 5, "requests": 5, "fal_client": 5}


def measure(bench):
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        one, many = bench.script("peer"), bench.script("peer_async")
        return {
            "1": bench.rounds({name: [*one, name, url, 2_500 // SLOW.get(name, 1)] for name in ONE}, 5),
            "32": bench.rounds({name: [*many, client, url, 6_400 // SLOW.get(client, 1), 32] for name, client in ASYNC.items()}, 5),
        }


def show(found):
    subjects = {"1": ("one at a time", "libfal"), "32": ("asyncio, 32 in flight", "libfal in threads")}
    return [compared(head, REQUESTS, found[in_flight], subject) for in_flight, (head, subject) in subjects.items()]
