"""Compares what fal_client, the fal CLI and libfal find in the same environment.

    compare_keys.py [--explain PROGRAM] [CASE ...]

Runs the official clients' own code and `cargo run --example explain -- --json` with the same variables and files, each in
a process of its own. Fails unless the table of docs/credentials-differences.md has exactly the differences that are found.
Keys are compared and shown by their public id.

Needs a Python with the packages of requirements.txt, and the example built: cargo build --example explain
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cases import CASES

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "credentials-differences.md"
TOOLS = ("fal_client", "fal CLI")

# What a tool and libfal find in one case, in the words of `Probes`.
Difference = namedtuple("Difference", "case tool official libfal")


class Probes:
    """What a tool finds: `key <id>`, `key without an id`, `login`, `nothing`, or `error` if the tool refuses it."""

    def __init__(self, explain):
        self.explain = explain

    def fal_client(self, case, home):
        return self.python("fal_client", case, home)

    def fal_cli(self, case, home):
        return self.python("fal", case, home)

    def python(self, package, case, home):
        probe = Path(__file__).with_name("probe.py")
        done = run([sys.executable, "-I", probe, package], case, home)
        done.check_returncode()
        # The CLI prints other lines as well.
        return json.loads(done.stdout.splitlines()[-1])

    def libfal(self, case, home):
        """Also returns whether logins are among the sources."""
        found = json.loads(run([self.explain, "--json"], case, home).stdout)
        knows_logins = any("login" in source["source"] for source in found["sources"])
        if used := found["used"]:
            return (f"key {used['key_id']}" if used["key_id"] else "login"), knows_logins
        return ("error" if found["problem"]["kind"] == "malformed" else "nothing"), knows_logins


def run(command, case, home):
    variables = {name: value.replace("{home}", str(home)) for name, value in case.variables.items()}
    return subprocess.run(command, env={"HOME": str(home), **variables}, cwd=home, capture_output=True, text=True, timeout=60)


def examine(case, probes):
    """Returns what each tool finds. Each has a new home directory, because the CLI may change it."""
    found = {}
    for tool in ("fal_client", "fal_cli", "libfal"):
        with tempfile.TemporaryDirectory() as home:
            case.put_files(Path(home))
            found[tool] = getattr(probes, tool)(case, Path(home))
    return found["fal_client"], found["fal_cli"], *found["libfal"]


def known_differences():
    rows = [line.strip().strip("|").split("|") for line in TABLE.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    heads = ["case", "tool", "official", "libfal", "reason"]
    if not cells or [cell.lower() for cell in cells[0]] != heads:
        sys.exit(f"{TABLE}: the table's columns are {', '.join(heads)}")
    for row in cells[2:]:
        if len(row) != len(heads) or not row[-1]:
            sys.exit(f"{TABLE}: a row without its reason: {' | '.join(row)}")
    known = {}
    for cases, tools, official, libfal, reason in cells[2:]:
        for case in cases.split("; "):
            for tool in TOOLS if tools == "both" else [tools]:
                known[Difference(case, tool, official, libfal)] = reason
    return known


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--explain", type=Path, default=target / "debug" / "examples" / "explain")
    parser.add_argument("case", nargs="*", help="only these")
    arguments = parser.parse_args()
    names = [case.name for case in CASES]
    if len(set(names)) < len(names) or not set(arguments.case) <= set(names):
        sys.exit("there is no such case, or there are two of one name")
    cases = [case for case in CASES if not arguments.case or case.name in arguments.case]
    known = known_differences()
    if unknown := {row.case for row in known} - set(names):
        sys.exit(f"{TABLE}: no such case: {', '.join(sorted(unknown))}")

    probes = Probes(arguments.explain.resolve())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda case: examine(case, probes), cases))

    failures, left_out, seen = [], 0, set()
    for case, (*official, libfal, knows_logins) in zip(cases, results):
        for tool, found in zip(TOOLS, official):
            difference = Difference(case.name, tool, found, libfal)
            if case.is_login and not knows_logins:
                verdict, left_out = "left out", left_out + 1
            elif found == libfal:
                verdict = "equal"
            elif difference in known:
                verdict = "known"
                seen.add(difference)
            else:
                verdict = "DIFFERENT"
                failures.append(f"not in the table: | {' | '.join(difference)} | … |")
            print(f"{verdict:10} {case.name:45} {tool:10}  {found:16} libfal: {libfal}")
    compared = {case.name for case, (*_, knows_logins) in zip(cases, results) if knows_logins or not case.is_login}
    failures += [
        f"no longer true: | {' | '.join(row)} |" for row in known if row.case in compared and row not in seen
    ]
    print(f"\n{len(cases)} cases, {len(seen)} known differences, {len(failures)} failures")
    if left_out:
        print(f"{left_out} comparisons left out: libfal lists no login among its sources")
    if failures:
        sys.exit("\n".join([f"{TABLE}:", *failures]))


if __name__ == "__main__":
    main()
