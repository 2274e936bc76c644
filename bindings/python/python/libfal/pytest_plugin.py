"""Fixtures of pytest: a local fal for the tests of a program that uses libfal.

    import libfal

    def test_the_picture_is_made_once(fal_emulator):
        libfal.run("fal-ai/flux/schnell", {"prompt": "a lighthouse"})
        assert len(fal_emulator.requests(method="POST")) == 1

While a test or a session has such a fixture, libfal finds the emulator and a fake key in the environment, and no key, profile or
login of the user. pytest loads this module by itself. The program fal-emulator is in the package libfal-emulator.

The emulator answers from recordings, as `fal-emulator record` makes them, if the configuration of pytest names their folder:

    [tool.pytest.ini_options]
    fal_emulator_replay = "cassettes"
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import libfal
import libfal.emulator

# A program that prints nothing for so long is no emulator.
_PATIENCE = 30.0


class Emulator:
    """A running fal-emulator. The documentation of the emulator lists its models, faults and settings."""

    def __init__(self, address: str, api_key: str, admin_key: str, ca_file: str) -> None:
        self.address = address
        """127.0.0.1:PORT, the value for FAL_EMULATOR_HOST."""
        self.api_key = api_key
        """A key of scope API. It is fake, as all keys of the emulator are."""
        self.admin_key = admin_key
        """A key of scope ADMIN of the same account."""
        self.ca_file = ca_file
        """The file with the certificate that clients trust which do not know the emulator."""

    def __repr__(self) -> str:
        return f"<fal-emulator at {self.address}>"

    def client(self, **options: Any) -> libfal.SyncClient:
        """Return a client of this emulator, by default with its API key."""
        return libfal.SyncClient(**self._options(options))

    def async_client(self, **options: Any) -> libfal.AsyncClient:
        """Return an asyncio client of this emulator, by default with its API key."""
        return libfal.AsyncClient(**self._options(options))

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"key": self.api_key, "emulator_host": self.address, **options}

    def environment(self) -> dict[str, str]:
        """Return the variables with which a program reaches this emulator."""
        return {"FAL_EMULATOR_HOST": self.address, "FAL_KEY": self.api_key}

    def requests(self, **filters: Any) -> list[dict[str, Any]]:
        """Return the requests that arrived, in order: requests(method="POST", host="fal.run", path="/fal-ai/*").

        With wait_for=2, wait until two have arrived, for at most five seconds or timeout_ms.
        """
        found: list[dict[str, Any]] = self.control("GET", "requests?" + urllib.parse.urlencode(filters))["requests"]
        return found

    def fault(self, action: dict[str, Any], **match: Any) -> None:
        """Let a request fail: fault({"type": "status", "status": 503}, method="POST", path="/fal-ai/*", times=1)."""
        self.control("POST", "faults", {"action": action, **match})

    def settings(self, **settings: Any) -> None:
        """Replace all settings, such as settings(locked_accounts={"acme": "Exhausted balance"})."""
        self.control("PUT", "settings", settings)

    def define(self, id: str, **definition: Any) -> None:
        """Define an endpoint until the end of the test: define("acme/poem", output={"text": "About {{ input.topic }}"})."""
        self.control("POST", "apps", {"endpoint": [{"id": id, **definition}]})

    def define_from(self, file: str | os.PathLike[str]) -> None:
        """Define the endpoints of a file, in TOML or OpenAPI, until the end of the test."""
        self._send("POST", "apps", Path(file).read_text(encoding="utf-8"))

    def advance(self, seconds: float) -> None:
        """Advance the emulator's clock. What is due by then happens at once."""
        self.control("POST", "clock", {"advance_ms": round(seconds * 1000)})

    def create_key(self, scope: str = "API", account: str = "acme") -> str:
        """Create another key."""
        key: str = self.control("POST", "keys", {"scope": scope, "account": account})["key"]
        return key

    def reset(self) -> None:
        """Make everything as it was at the start. Address and keys stay, and so do open connections, but no WebSockets."""
        self.control("POST", "reset")

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the control API, such as control("GET", "stats")."""
        return self._send(method, path, None if body is None else json.dumps(body))

    def _send(self, method: str, path: str, body: str | None) -> Any:
        connection = http.client.HTTPConnection(self.address, timeout=_PATIENCE)
        try:
            connection.request(method, f"/_emulator/{path}", None if body is None else body.encode())
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise ValueError(f"the emulator refused {method} {path}: {text.decode(errors='replace')}")
        return json.loads(text) if text else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "fal_emulator_replay",
        "the folder of recordings from which the emulator answers, relative to the file of this option",
        type="paths",
        default=[],
    )


@pytest.fixture
def fal_emulator(_fal_emulator_of_tests: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A local fal that is as new for each test. libfal uses it while the test runs."""
    _fal_emulator_of_tests.reset()
    with _leading_to(_fal_emulator_of_tests, tmp_path_factory):
        yield _fal_emulator_of_tests


@pytest.fixture(scope="session")
def fal_emulator_session(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """A local fal for the whole session, which keeps what tests do. libfal uses it from the first test that has the fixture on."""
    with _running(pytestconfig) as emulator, _leading_to(emulator, tmp_path_factory):
        yield emulator


@pytest.fixture(scope="session")
def _fal_emulator_of_tests(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    # One program for all tests, so that a client which a module made for itself finds it again at its address.
    with _running(pytestconfig) as emulator:
        yield emulator


@contextlib.contextmanager
def _leading_to(emulator: Emulator, folders: pytest.TempPathFactory) -> Iterator[None]:
    """Lets libfal find the emulator and its key, and nothing of the user's."""
    folder = folders.mktemp("fal")
    config = folder / "config.toml"
    config.touch()
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("FAL_") and name != "FAL_EMULATOR_BIN":
                patch.delenv(name)
        for name, value in emulator.environment().items():
            patch.setenv(name, value)
        patch.setenv("FAL_CONFIG_PATH", str(config))
        patch.setenv("FAL_HOME_DIR", str(folder))
        _forget_default_clients()
        yield
    _forget_default_clients()


def _forget_default_clients() -> None:
    """Lets the functions of the module read the environment again at their next call."""
    libfal.sync_client._core = libfal.async_client._core = None


@contextlib.contextmanager
def _running(config: pytest.Config) -> Iterator[Emulator]:
    """Runs an emulator. It ends with this process, however that ends, because its standard input does."""
    command = [_program(), "serve", "--until-eof"]
    folders: list[Path] = config.getini("fal_emulator_replay")
    if len(folders) > 1:
        pytest.fail(f"fal_emulator_replay must be one folder, not {len(folders)}", pytrace=False)
    for folder in folders:
        command += ["--replay", str(folder)]
    try:
        # In a session of its own, so that Ctrl-C ends the tests before the emulator.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
    except OSError as error:
        pytest.fail(f"cannot start the emulator {command[0]}: {error}", pytrace=False)
    # At the end of the block its standard input is closed, and its end is awaited.
    with process:
        assert process.stdout
        overdue = threading.Timer(_PATIENCE, process.kill)
        overdue.start()
        try:
            line = process.stdout.readline()
        finally:
            overdue.cancel()
        if not line:
            # Its message is in the standard error of the test.
            status = process.wait(_PATIENCE)
            pytest.fail(f"the emulator {command[0]} ended with status {status} before it served", pytrace=False)
        try:
            made = json.loads(line)
            emulator = Emulator(made["address"], made["api_key"], made["admin_key"], made["ca_file"])
        except (ValueError, KeyError, TypeError):
            process.kill()
            pytest.fail(f"{command[0]} is no fal-emulator of this version: it printed {line!r}", pytrace=False)
        yield emulator


def _program() -> str:
    try:
        return libfal.emulator.program()
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
