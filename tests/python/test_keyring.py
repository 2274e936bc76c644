"""The system keyring: a real GNOME Keyring on a private bus (tests/keyring/bus), shared with a C program.

`make test-keyring` runs these tests. KEYRING_PROGRAM names the C program, tests/c/keyring.c, built with a library that
supports the keyring.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import logs
import pytest
from conftest import ROOT, Emulator, script

import libfal

BUS = ROOT / "tests" / "keyring" / "bus"
PROGRAM = os.environ.get("KEYRING_PROGRAM") or str(ROOT / "build" / "keyring" / "keyring")


@contextmanager
def bus(kind: str) -> Iterator[str]:
    """Returns the address of a bus, "keyring" or "bare"."""
    command = [str(BUS), kind, "sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.fixture(scope="module")
def running_keyring() -> Iterator[str]:
    with bus("keyring") as address:
        yield address


@pytest.fixture
def keyring(running_keyring: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", running_keyring)
    libfal.remove_from_keyring("default")
    return running_keyring


def state(explanation: libfal.Explanation) -> libfal.Source:
    (source,) = [source for source in explanation.sources if source.source == "keyring"]
    return source


def in_c(emulator: Emulator, step: str, account: str) -> str:
    environment = {**os.environ, "FAL_EMULATOR_HOST": emulator.address, "FAL_EMULATOR_API_KEY": emulator.api_key}
    done = subprocess.run([PROGRAM, step, account], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_a_stored_key_is_found_explained_and_removed(emulator: Emulator, keyring: str) -> None:
    assert libfal.store_in_keyring("default", emulator.admin_key) is None  # type: ignore[func-returns-value]
    libfal.store_in_keyring("default", emulator.api_key)
    client = logs.client(keyring=True, emulator_host=emulator.address)
    for explanation in (client.explain(), libfal.explain(keyring=True)):
        source = state(explanation)
        assert (source.state, source.location, source.notes) == ("used", "fal.ai, default", ("read when a key is needed",))
    assert client.run("emulator/echo", {})["key_id"] == emulator.key_id
    used = client.explain().used
    assert used and (used.source, used.key_id) == ("keyring", emulator.key_id)
    for secret in emulator.secrets:
        assert secret not in client.explain().to_json() + str(client.explain()) + repr(client)
    assert libfal.remove_from_keyring("default") is True
    assert libfal.remove_from_keyring("default") is False
    with pytest.raises(libfal.CredentialsError, match="no fal key found") as none:
        logs.client(keyring=True, emulator_host=emulator.address).run("emulator/echo", {})
    assert none.value.explanation
    assert "the keyring holds no key there" in state(none.value.explanation).notes


def test_a_new_key_goes_straight_into_it(emulator: Emulator, keyring: str) -> None:
    key = emulator.client(key=emulator.admin_key).create_key("for the keyring")
    assert key.store_in_keyring("default") is None  # type: ignore[func-returns-value]
    client = logs.client(keyring=True, emulator_host=emulator.address)
    assert client.run("emulator/echo", {})["key_id"] == key.id
    assert libfal.remove_from_keyring("default") is True


def test_it_is_read_only_when_asked_for(
    emulator: Emulator, keyring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    libfal.store_in_keyring("default", emulator.api_key)
    with pytest.raises(libfal.CredentialsError) as unasked:
        logs.client(emulator_host=emulator.address).run("emulator/echo", {})
    assert unasked.value.explanation
    assert state(unasked.value.explanation).notes == ("read only with FAL_KEYRING=1",)
    monkeypatch.setenv("FAL_KEYRING", "1")
    with pytest.raises(libfal.CredentialsError):
        logs.client(keyring=False, emulator_host=emulator.address).run("emulator/echo", {})
    client = logs.client(emulator_host=emulator.address)
    assert client.run("emulator/echo", {})["key_id"] == emulator.key_id
    client.set_credentials(keyring=False)
    with pytest.raises(libfal.CredentialsError):
        client.run("emulator/echo", {})
    client.set_credentials(keyring=True)
    assert client.run("emulator/echo", {})["key_id"] == emulator.key_id


def test_c_and_python_share_it(emulator: Emulator, keyring: str) -> None:
    in_c(emulator, "store", "default")
    assert logs.client(keyring=True, emulator_host=emulator.address).run("emulator/echo", {})["key_id"] == emulator.key_id
    assert libfal.remove_from_keyring("default") is True
    assert in_c(emulator, "id", "default") == "none"
    libfal.store_in_keyring("default", emulator.admin_key)
    assert in_c(emulator, "id", "default") == emulator.admin_key.partition(":")[0]
    in_c(emulator, "remove", "default")
    assert libfal.remove_from_keyring("default") is False


def test_the_key_of_a_profile_that_the_file_lacks(
    emulator: Emulator, keyring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_c(emulator, "store", "team")
    assert in_c(emulator, "id", "default") == "none"
    passed = logs.client(profile="team", keyring=True, emulator_host=emulator.address)
    assert passed.run("emulator/echo", {})["key_id"] == emulator.key_id
    monkeypatch.setenv("FAL_PROFILE", "team")
    monkeypatch.setenv("FAL_KEYRING", "1")
    assert logs.client(emulator_host=emulator.address).run("emulator/echo", {})["key_id"] == emulator.key_id
    assert in_c(emulator, "id", "team") == emulator.key_id
    assert libfal.remove_from_keyring("team") is True
    for profile in (None, "team"):
        with pytest.raises(libfal.CredentialsError, match="no profile named team"):
            logs.client(profile=profile, emulator_host=emulator.address).run("emulator/echo", {})


def test_a_bus_without_a_keyring_is_told(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with bus("bare") as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with pytest.raises(libfal.CredentialsError, match="no keyring runs in this session"):
            logs.client(keyring=True, emulator_host=emulator.address).run("emulator/echo", {})
        with pytest.raises(libfal.ResourceError, match="no keyring runs in this session"):
            libfal.store_in_keyring("default", "fake-id:fake-secret-1")
        with pytest.raises(libfal.ResourceError, match="no keyring runs in this session"):
            libfal.remove_from_keyring("default")


def test_a_machine_without_a_session_is_not_probed(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(libfal.CredentialsError, match="headless: no session bus"):
        logs.client(keyring=True, emulator_host=emulator.address).run("emulator/echo", {})
    with pytest.raises(libfal.ResourceError, match="headless: no session bus") as refused:
        libfal.store_in_keyring("default", "fake-id:fake-secret-1")
    assert "fake-secret" not in str(refused.value)
    with pytest.raises(libfal.CredentialsError) as half:
        libfal.store_in_keyring("default", "fake-secret-half")
    assert "fake-secret" not in str(half.value)


class Silent:
    """A bus that never answers, and records whether a client connected."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix:path={path}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.setblocking(False)

    def contacted(self) -> bool:
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    bus = Silent(tmp_path / "bus")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
    yield bus
    bus.close()
    # Ends what still waits for the bus.
    libfal.shutdown(20)


@pytest.mark.parametrize("asked", ["", "FAL_KEYRING"])
def test_only_a_call_that_needs_a_key_contacts_the_bus(emulator: Emulator, silent: Silent, asked: str) -> None:
    """Runs in a new process, because the import counts too."""
    code = """
        import os, libfal
        client = libfal.SyncClient()
        libfal.explain(), client.explain()
        print("idle", flush=True)
        input()
        try:
            client.run("emulator/echo", {}, timeout=1)
        except libfal.FalClientError as error:
            print(error.code)
        libfal.shutdown(20)
    """
    environment = {"FAL_EMULATOR_HOST": emulator.address, **({asked: "1"} if asked else {})}
    with script(code, **environment) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "idle\n"
        assert not silent.contacted()
        printed, complaints = process.communicate("\n", timeout=60)
    assert complaints == ""
    # The call with FAL_KEYRING shows that a connection would be noticed.
    assert silent.contacted() == bool(asked)
    assert printed == ("FAL_E_DEADLINE\n" if asked else "FAL_E_NO_CREDENTIALS\n")


def test_a_bus_that_does_not_answer_is_given_up(emulator: Emulator, silent: Silent) -> None:
    begun = time.monotonic()
    with pytest.raises(libfal.FalClientTimeoutError):
        logs.client(keyring=True, emulator_host=emulator.address, default_timeout=0.5).request("GET", "/v1/models")
    assert time.monotonic() - begun < 20
    assert emulator.arrivals() == []


def test_other_threads_run_while_it_is_waited_for(silent: Silent) -> None:
    ended = threading.Event()

    def store() -> None:
        with pytest.raises(libfal.ResourceError):
            libfal.store_in_keyring("default", "fake-id:fake-secret-1")
        ended.set()

    thread = threading.Thread(target=store)
    thread.start()
    deadline = time.monotonic() + 20
    while not silent.contacted():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not ended.is_set()
    # contacted() has closed the connection, which ends the call.
    thread.join(60)
    assert ended.is_set()
