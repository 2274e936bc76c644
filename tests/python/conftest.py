"""The emulator as a fixture, and an environment without the developer's own keys and settings.

The tests run against the installed wheel. FAL_EMULATOR_BIN names the emulator. Its default is the path at which
`cargo build -p fal-emulator` puts the program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import logs
import pytest

import libfal

ROOT = Path(__file__).resolve().parents[2]

# Read before any test changes the environment.
EMULATOR = os.environ.get("FAL_EMULATOR_BIN") or str(
    Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "fal-emulator"
)


class Emulator:
    """A running fal-emulator, and its control API."""

    def __init__(self, address: str, api_key: str, admin_key: str) -> None:
        self.address = address
        self.api_key = api_key
        self.admin_key = admin_key
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    @property
    def key_id(self) -> str:
        return self.api_key.partition(":")[0]

    @property
    def secrets(self) -> list[str]:
        return [key.partition(":")[2] for key in (self.api_key, self.admin_key)]

    def client(self, **options: Any) -> libfal.SyncClient:
        options.setdefault("key", self.api_key)
        return logs.client(emulator_host=self.address, **options)

    def control(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}/_emulator/{path}", data, method=method)
        with self._open(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def arrivals(self, **filters: Any) -> list[dict[str, Any]]:
        """Returns the recorded requests that match; with wait_for=N, once N have arrived."""
        found: list[dict[str, Any]] = self.control("GET", f"requests?{urllib.parse.urlencode(filters)}")["requests"]
        return found

    def fault(self, action: dict[str, Any], **match: Any) -> None:
        self.control("POST", "faults", {"action": action, **match})

    def environment(self) -> dict[str, str]:
        """Returns the variables with which a program uses the emulator."""
        return {"FAL_EMULATOR_HOST": self.address, "FAL_KEY": self.api_key}


@pytest.fixture(scope="session")
def running() -> Iterator[Emulator]:
    if not Path(EMULATOR).exists():
        pytest.exit(f"{EMULATOR} is missing: cargo build -p fal-emulator, or set FAL_EMULATOR_BIN", returncode=3)
    command = [EMULATOR, "serve", "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        line = json.loads(process.stdout.readline())
        yield Emulator(line["address"], line["api_key"], line["admin_key"])
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.fixture
def emulator(running: Emulator) -> Iterator[Emulator]:
    """The emulator, without requests, faults and settings of earlier tests."""
    for what in ("requests", "faults"):
        running.control("DELETE", what)
    running.control("PUT", "settings", {})
    yield running


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home directory, and an environment without variables of fal."""
    for name in os.environ:
        if name.startswith("FAL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def script(code: str, **environment: str) -> subprocess.Popen[str]:
    """Starts a Python process that runs this code. The code can import the helpers of the tests."""
    path = os.pathsep.join([*filter(None, [environment.get("PYTHONPATH"), os.environ.get("PYTHONPATH")]), str(Path(__file__).parent)])
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment, "PYTHONPATH": path},
        # A shell starts background processes with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def output(code: str, **environment: str) -> str:
    """Returns what such a script prints. It must succeed and write nothing to standard error."""
    with script(code, **environment) as process:
        printed, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, ""), f"{process.returncode}\n{printed}\n{complaints}"
    return printed
