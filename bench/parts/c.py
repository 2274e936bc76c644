"""C, and the Rust clients that libfal is built on."""

from tables import REQUESTS, compared

TITLE = "C, and the Rust clients that libfal is built on"
NOTE = (
    "200-byte responses, HTTP/1.1 with keep-alive, loopback. With many in flight, libfal's C program waits for its oldest operation and"
    " the others for any, which is to libfal's disadvantage."
)


def measure(bench):
    found = {}
    with bench.server() as port:
        url = f"http://127.0.0.1:{port}/bench/200"
        for in_flight, requests in [(1, 4_000), (64, 30_000)]:
            peers = {"libfal": [bench.programs / "libfal-c"], "libcurl": [bench.programs / "curl-c"], "raw sockets, the floor": [bench.programs / "raw-c"]}
            peers = {name: [*command, url, requests, in_flight] for name, command in peers.items()}
            for name, client in [("reqwest alone", "reqwest"), ("hyper-util alone", "hyper"), ("libfal in Rust", "fal")]:
                for workers in [1, 2]:
                    command = [bench.programs / "bench-peer", client, workers, url, requests, in_flight]
                    peers[f"{name}, {workers} worker{'s' * (workers > 1)}"] = command
            found[str(in_flight)] = bench.rounds(peers, 5)
    return found


def show(found):
    return [compared(f"{in_flight} in flight", REQUESTS, peers) for in_flight, peers in found.items()]
