"""Measures libfal beside its peers, and writes bench/results.json, results.md and cost.svg.

    run.py PROGRAMS VENV [PART ...] [--quick]

PROGRAMS is the folder of the built programs, VENV holds the Python clients. The parts are the modules of the folder parts; by
default all. The earlier results of the others are kept. With --quick the files go into a new folder, which is printed.
"""

import argparse
import json
import os
import platform
import re
import tempfile
import time
from pathlib import Path

from harness import HERE, Bench, replaced
from parts import c, counts, growth, polling, python, queue, size, start, tls, transfer

PARTS = {part.__name__.split(".")[-1]: part for part in [c, tls, growth, counts, polling, python, start, queue, transfer, size]}


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} × {model[1] if model else platform.machine()}, Linux {platform.release()}"


def compact(results):
    """JSON with a run in each line."""
    spread = json.dumps(results, indent=1)
    return re.sub(r"\{[^{}\[\]]*\}", lambda run: " ".join(run[0].split()), spread) + "\n"


def text(results):
    """results.md."""
    head = "# Results\n\nSee [README.md](README.md) for how they were taken."
    return "\n\n".join([head, *(results[name]["text"] for name in PARTS if name in results)]) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=Path)
    parser.add_argument("venv", type=Path)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--quick", action="store_true", help="few rounds, to try the programs")
    arguments = parser.parse_args()
    bench = Bench(arguments.programs.resolve(), arguments.venv.absolute(), arguments.quick)
    folder = Path(tempfile.mkdtemp(prefix="fal-bench-")) if bench.quick else HERE
    file = folder / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    parts, took = arguments.parts or list(PARTS), {}
    for name in parts:
        part, begun = PARTS[name], time.monotonic()
        found = part.measure(bench)
        took[name] = time.monotonic() - begun
        taken = f"Taken in {took[name]:.0f} s on {machine()}."
        results[name] = {"found": found, "text": "\n\n".join([f"## {part.TITLE}", part.NOTE, *part.show(found), taken])}
        print(f"\n{results[name]['text']}", flush=True)
        # A part that fails must not lose those before it.
        with replaced(file) as new:
            new.write_text(compact(results))
        with replaced(folder / "results.md") as new:
            new.write_text(text(results))
    if "growth" in parts:
        growth.draw(bench, folder)
    print("\n" + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in took.items()) + f", together {sum(took.values()):.0f} s: {folder}")


main()
