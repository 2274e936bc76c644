"""Checks that the unmodified official clients work with the emulator, and that libfal sends the same requests.

    compare_calls.py --emulator PROGRAM --libfal PROGRAM --javascript FOLDER [--show] [NAME ...]

Each call of calls/ is made by fal_client (sync and async), by @fal-ai/client and by libfal, all over TLS, under fal's real
names and through the emulator as an HTTP proxy. Their outcomes must be equal. The requests that arrived are compared
one by one. Every difference must have a row in the table of docs/client-differences.md, and every row must be needed.

FOLDER contains the JavaScript client in node_modules. --show prints the requests.
"""

import argparse
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
TABLE = HERE.parents[1] / "docs" / "client-differences.md"
PYTHON = "run run_refused submit status iter_events subscribe cancel stream realtime websocket upload upload_5_mb upload_120_mb"
JAVASCRIPT = "run run_refused submit status subscribe subscribe_streaming cancel stream realtime upload upload_5_mb upload_120_mb"
# The call of libfal that corresponds to a call that only one client has.
SAME_AS = {"iter_events": "subscribe", "subscribe_streaming": "subscribe"}
# For the comparison with fal_client libfal uploads in its way.
BY_CDN = {"upload", "upload_5_mb", "upload_120_mb"}
# Calls whose outcome is their logs only.
LOGS_ONLY = {"iter_events"}

# Headers with a meaning for fal.
FALS_OWN = ("x-fal-", "x-app-fal-", "idempotency-key", "prefer")

Row = namedtuple("Row", "calls theirs ours reason")


class Emulator:
    """An emulator for one client, so that requests and ids do not mix."""

    def __init__(self, program):
        command = [program, "serve", "--until-eof"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        told = json.loads(self.process.stdout.readline())
        self.address, key, ca = told["address"], told["api_key"], told["ca_file"]
        proxy = f"http://{self.address}"
        self.variables = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), proxy),
            **dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), ca),
            "NO_PROXY": "127.0.0.1",
            "FAL_KEY": key,
        }

    def control(self, method, path):
        request = urllib.request.Request(f"http://{self.address}/_emulator/{path}", method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.loads(answer.read() or "null")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


@contextmanager
def emulator(program):
    running = Emulator(program)
    try:
        yield running
    finally:
        running.close()


def outcome_and_requests(running, command):
    """Runs a client. Returns its outcome and the requests that arrived."""
    running.control("DELETE", "requests")
    done = subprocess.run(command, env=running.variables, capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    arrivals = running.control("GET", "requests")["requests"]
    return json.loads(done.stdout.splitlines()[-1])["outcome"], collapsed([line(arrival) for arrival in arrivals])


def line(arrival):
    """Returns a request as one line, without what differs between runs."""
    query = f"?{arrival['query']}" if arrival["query"] else ""
    headers = arrival["headers"]
    told = []
    if credential := headers.get("authorization"):
        told.append(credential["scheme"])
    if arrival["body_length"] and "content-type" in headers:
        told.append(headers["content-type"])
    told += [f"{name}: {value}" for name, value in sorted(headers.items()) if name.startswith(FALS_OWN)]
    if headers.get("accept", "").startswith("text/event-stream"):
        told.append("wants events")
    body = arrival["body"]
    if arrival["body_length"] > 1000 or isinstance(body, dict) and "base64" in body:
        body = f"{arrival['body_length']} bytes"
    elif body is not None:
        body = json.dumps(body, sort_keys=True, ensure_ascii=False)
    told = f" [{', '.join(told)}]" if told else ""
    return generic(f"{arrival['method']} {arrival['host']}{arrival['path']}{query}{told}{f' {body}' if body else ''}")


def generic(text):
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"/files/b/[^/ ]+/[^/ ?]+", "/files/b/STORE/FILE", text)
    text = re.sub(r"(?i)(X-Goog-Signature|signature|token|expires)=[^& ]+", r"\1=…", text)
    text = re.sub(r'{"etag": ".*?", "partNumber": (\d+)}', r"\1", text)
    text = re.sub(r"/upload/[0-9a-f]{32}", "/upload/ID", text)
    return re.sub(r"/multipart/[0-9A-Za-z_-]{8,}", "/multipart/UPLOAD", text)


def collapsed(lines):
    """Merges equal lines, in the order of their first appearance. Requests other than GET get a count."""
    lines = [re.sub(r"(/multipart/UPLOAD|/upload/ID)/\d+", r"\1/N", text) for text in lines]
    times = {text: lines.count(text) for text in lines}
    return [f"{text} ({n} times)" if n > 1 and not text.startswith("GET ") else text for text, n in times.items()]


def rows():
    # The sections below have tables of their own.
    first, _, _ = TABLE.read_text().partition("\n## ")
    table = [text for text in first.splitlines() if text.startswith("| `")]
    cells = [[cell.strip() for cell in text.strip("|").split(" | ")] for text in table]
    return [Row(*(cell.strip("`") for cell in row[:3]), row[3]) for row in cells]


def matching(table, kind, call, text):
    pattern = lambda row: re.sub(r"([\[\]])", r"[\1]", getattr(row, kind))
    return {row for row in table if fnmatch.fnmatchcase(call, row.calls) and fnmatch.fnmatchcase(text, pattern(row))}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--emulator", required=True)
    arguments.add_argument("--libfal", required=True)
    arguments.add_argument("--javascript", required=True, type=Path)
    arguments.add_argument("--show", action="store_true")
    arguments.add_argument("names", nargs="*")
    chosen = arguments.parse_args()
    table, used, failures, compared = rows(), set(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, megabytes in (("5mb.bin", 5), ("120mb.bin", 120)):
            # All megabytes differ, so that swapped parts make a different file.
            (Path(folder) / name).write_bytes(b"".join(n.to_bytes(2, "big") * (1 << 19) for n in range(megabytes)))
        python = [sys.executable, HERE / "calls" / "python_client.py"]
        clients = [
            ("fal_client", PYTHON, [*python, "sync"]),
            ("fal_client async", PYTHON, [*python, "async"]),
            ("@fal-ai/client", JAVASCRIPT, ["node", chosen.javascript / "javascript_client.mjs"]),
        ]
        ours = {}
        for client, names, command in clients:
            for name in names.split():
                if chosen.names and name not in chosen.names:
                    continue
                with emulator(chosen.emulator) as running:
                    theirs = outcome_and_requests(running, [*command, name, folder])
                own = SAME_AS.get(name, name)
                if client.startswith("fal_client") and name in BY_CDN:
                    own = f"{name}_by_cdn"
                if own not in ours:
                    with emulator(chosen.emulator) as running:
                        ours[own] = outcome_and_requests(running, [chosen.libfal, own, folder])
                compared += 1
                call = f"{client}: {name}"
                expected = ours[own][0]["logs"] if name in LOGS_ONLY else ours[own][0]
                if theirs[0] != expected:
                    print(f"{call}: the outcome is {theirs[0]!r}, libfal's is {expected!r}")
                    failures += 1
                if chosen.show:
                    print(call, *(f"\n  {text}" for text in theirs[1]), "\nlibfal", *(f"\n  {text}" for text in ours[own][1]))
                for kind, mine, others in (("theirs", theirs[1], ours[own][1]), ("ours", ours[own][1], theirs[1])):
                    for text in mine:
                        if text in others:
                            continue
                        known = matching(table, kind, call, text)
                        used |= known
                        if not known:
                            print(f"{call}: only {'the client' if kind == 'theirs' else 'libfal'} sends\n    {text}")
                            failures += 1
    if not chosen.names:
        for row in set(table) - used:
            print(f"docs/client-differences.md: nothing differs like this any more: {row}")
            failures += 1
    print(f"{compared} calls, {len(table)} known differences, {failures} failures")
    return 1 if failures else 0


sys.exit(main())
