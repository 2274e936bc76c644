"""Transfers of a large file."""

import os
import tempfile
from pathlib import Path

from tables import compared

TITLE = "1 GiB, uploaded and downloaded"
NOTE = (
    "Whole processes. The file is in memory (tmpfs) where there is room. Memory growth is the resident memory at most, less that of the"
    " same program with a file of 1 KiB. libfal uploads in parts, four at a time, as it does without options; “one PUT” is what curl does."
)
SIZE, SMALL = 1 << 30, 1 << 10


def folder():
    """A folder in memory if it has room for three files."""
    memory = Path("/dev/shm")
    room = os.statvfs(memory) if memory.is_dir() else None
    return memory if room and room.f_bavail * room.f_frsize > 4 * SIZE else None


def measure(bench):
    size = 64 << 20 if bench.quick else SIZE
    with bench.server() as port, tempfile.TemporaryDirectory(dir=folder()) as place:
        base, place = f"http://127.0.0.1:{port}", Path(place)
        libfal = [bench.programs / "transfer-c"]

        def commands(size):
            source, target = place / f"{size}", place / "target"
            with source.open("wb") as file:
                file.truncate(size)
            file = f"{base}/files/{size}"
            return {
                "upload": {
                    "libfal": [*libfal, "upload", file, source],
                    "libfal, one PUT": [*libfal, "put", file, source],
                    "curl": ["curl", "-sSf", "-o", "/dev/null", "-T", source, f"{base}/stored/file"],
                },
                "download": {
                    "libfal": [*libfal, "download", file, target],
                    "curl": ["curl", "-sSf", "-o", target, file],
                },
            }

        def transfer(*command):
            (place / "target").unlink(missing_ok=True)
            return bench.process(*command)

        small = {kind: bench.rounds(peers, 3, transfer) for kind, peers in commands(SMALL).items()}
        large = {kind: bench.rounds(peers, 5, transfer) for kind, peers in commands(size).items()}
    for kind, peers in large.items():
        for name, runs in peers.items():
            least = min(run["mib"] for run in small[kind][name])
            for run in runs:
                run["grown_mib"] = run["mib"] - least
    return large


def show(found):
    columns = {"seconds": lambda run: run["seconds"], "CPU seconds": lambda run: run["cpu_seconds"], "MiB more": lambda run: run["grown_mib"]}
    return [compared(kind, columns, peers) for kind, peers in found.items()]
