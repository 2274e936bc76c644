"""The emulator as a fixture, and an environment in which nothing of the developer's own is found.

The tests run against the installed wheel. FAL_EMULATOR_BIN names the emulator; without it, it is looked for where
`cargo build -p fal-emulator` puts it.
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
    """A running fal-emulator and its control API."""

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

    def client(self, **options: Any) -> libfal.Client:
        options.setdefault("key", self.api_key)
        return logs.client(emulator_host=self.address, **options)

    def control(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}/_emulator/{path}", data, method=method)
        with self._open(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def arrivals(self, **filters: Any) -> list[dict[str, Any]]:
        """What arrived; wait_for=N waits until N have."""
        found: list[dict[str, Any]] = self.control("GET", f"requests?{urllib.parse.urlencode(filters)}")["requests"]
        return found

    def fault(self, action: dict[str, Any], **match: Any) -> None:
        self.control("POST", "faults", {"action": action, **match})

    def environment(self) -> dict[str, str]:
        """What a program needs to use the emulator."""
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
    """The emulator, without what earlier tests left behind."""
    for what in ("requests", "faults"):
        running.control("DELETE", what)
    running.control("PUT", "settings", {})
    yield running


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home directory, and no variable of fal's."""
    for name in os.environ:
        if name.startswith("FAL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def script(code: str, **environment: str) -> subprocess.Popen[str]:
    """A Python of its own that runs this code; it can import the helpers of the tests."""
    path = os.pathsep.join([*filter(None, [environment.get("PYTHONPATH")]), str(Path(__file__).parent)])
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment, "PYTHONPATH": path},
        # A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def output(code: str, **environment: str) -> str:
    """What such a script prints; it must succeed and say nothing on standard error."""
    with script(code, **environment) as process:
        printed, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, ""), f"{process.returncode}\n{printed}\n{complaints}"
    return printed
