"""Runs the samples of one page, which arrive as JSON on standard input: a program of its own, so that a page can fork and exit.

Each sample continues the one before. A line with SEPARATOR ends what it printed.
"""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

SEPARATOR = "\x1e"
# The webhooks that arrived: their headers and bodies.
DELIVERED: list[tuple[list[tuple[str, str]], bytes]] = []
_ARRIVED = threading.Semaphore(0)


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        DELIVERED.append((self.headers.items(), body))
        self.send_response(200)
        self.end_headers()
        _ARRIVED.release()

    def log_message(self, format: str, *args: object) -> None:
        pass


def delivered() -> tuple[list[tuple[str, str]], bytes]:
    """Returns the next webhook, once it has arrived."""
    assert _ARRIVED.acquire(timeout=30)
    return DELIVERED.pop(0)


def shell(script: str) -> None:
    # The shell function is the command that the wheel installs.
    command = f'libfal() {{ "{sys.executable}" -m libfal "$@"; }}\n{script}'
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    print(done.stdout, end="")


def test(code: str) -> None:
    """Runs a test of a program. The fixture comes from libfal, also if it is not installed."""
    Path("test_sample.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "libfal.pytest_plugin", "test_sample.py"]
    done = subprocess.run(command, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def main() -> None:
    import __main__

    # What a sample defines is found by pickle.
    names = __main__.__dict__
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hook = f"http://127.0.0.1:{server.server_port}/fal"
    for language, place, code in json.load(sys.stdin):
        code = code.replace("https://example.com/fal", hook)
        if language == "sh":
            shell(code)
        elif language == "pytest":
            test(code)
        else:
            exec(compile(code, place, "exec"), names)
        print(SEPARATOR, flush=True)
