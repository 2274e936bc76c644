"""Credentials from a function of the program."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import logs
import pytest
from conftest import Emulator, output

import libfal


class Asked:
    """A credential function that returns these values in order, and then always the last one."""

    def __init__(self, *delivered: Any, seconds: float = 0) -> None:
        self.delivered = list(delivered)
        self.seconds = seconds
        self.threads: list[threading.Thread] = []

    def __call__(self) -> Any:
        self.threads.append(threading.current_thread())
        time.sleep(self.seconds)
        delivered = self.delivered[min(len(self.threads), len(self.delivered)) - 1]
        if isinstance(delivered, BaseException):
            raise delivered
        return delivered

    def client(self, emulator: Emulator, **options: Any) -> libfal.SyncClient:
        return emulator.client(key=None, credential=self, **options)


def test_all_who_wait_share_one_question_and_the_answer_is_kept(emulator: Emulator) -> None:
    asked = Asked(emulator.api_key, seconds=0.2)
    client = asked.client(emulator)
    for explained in (client.explain(), libfal.explain(credential=asked)):
        assert explained.used and (explained.used.source, explained.used.key_id) == ("explicit callback", None)
    assert asked.threads == [], "explaining asks nobody"
    operations = [client.run_start("emulator/echo", {}) for _ in range(20)]
    assert {operation.result()["key_id"] for operation in operations} == {emulator.key_id}
    client.run("emulator/echo", {})
    (thread,) = asked.threads
    assert thread is not threading.current_thread() and thread.daemon
    used = client.explain().used
    assert used and used.key_id == emulator.key_id


def test_others_run_while_it_takes_its_time(emulator: Emulator) -> None:
    asked, answered = threading.Event(), threading.Event()

    def ask() -> str:
        asked.set()
        answered.wait(30)
        return emulator.api_key

    waiting = emulator.client(key=None, credential=ask).run_start("emulator/echo", {})
    assert asked.wait(30)
    for _ in range(3):
        emulator.client().run("emulator/echo", {})
    assert not waiting.done()
    answered.set()
    assert waiting.result()["key_id"] == emulator.key_id


def test_a_key_that_expires_is_asked_for_again(emulator: Emulator) -> None:
    # A key counts as expired ten seconds before its expiry.
    asked = Asked((emulator.api_key, 1), (emulator.api_key, 3600.0))
    client = asked.client(emulator)
    for _ in range(4):
        client.run("emulator/echo", {})
    assert len(asked.threads) == 2


def test_a_refused_key_is_asked_for_once_more(emulator: Emulator) -> None:
    old = emulator.control("POST", "keys", {})
    asked = Asked((old["key"], None), emulator.api_key)
    client = asked.client(emulator)
    client.run("emulator/echo", {})
    emulator.control("DELETE", f"keys/{old['key_id']}")
    assert client.run("emulator/echo", {})["key_id"] == emulator.key_id
    assert [one["outcome"] for one in emulator.arrivals()] == [200, 401, 200]
    assert len(asked.threads) == 2


def test_it_may_deliver_a_token_and_use_another_client(emulator: Emulator) -> None:
    maker = emulator.client()
    client = emulator.client(key=None, credential=lambda: maker.mint_token("emulator/echo", seconds=60))
    assert client.run("emulator/echo", {"a": 1})["body"] == {"a": 1}
    assert client.run("emulator/echo", {})["key_id"] is not None
    arrivals = emulator.arrivals()
    assert [one["path"] for one in arrivals] == ["/tokens/", "/emulator/echo", "/emulator/echo"]


class Odd(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("delivered", "part"),
    [
        (KeyError("the vault is locked"), "KeyError: 'the vault is locked'"),
        (RuntimeError("two\nlines"), "RuntimeError: two lines"),
        (SystemExit(), "SystemExit"),
        (Odd(), "Odd"),
        (libfal.FalClientError("no account", remedy="Make one."), "FalClientError: no account"),
        (None, "the function returned NoneType, not a key"),
        (b"fake-id:fake-secret-bytes", "the function returned bytes, not a key"),
        (("fake-id:fake-secret-of-three", 1, 2), "the function returned tuple, not a key"),
        (("fake-id:fake-secret-late", "60"), "expires_in is a number of seconds, not str"),
        (("fake-id:fake-secret-late", -1), "expires_in must be a number of seconds from 0, not -1"),
        (("fake-id:fake-secret-late", float("nan")), "expires_in must be a number of seconds from 0, not NaN"),
        ("fake-secret-half", "half a key"),
        ("fake-id:fake-secret-\ud800", "UnicodeEncodeError"),
        (libfal.AppToken("fake secret token"), "is not allowed"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_without_a_good_answer_the_error_says_why(emulator: Emulator, delivered: object, part: str) -> None:
    with pytest.raises(libfal.CredentialsError) as caught:
        Asked(delivered).client(emulator).run("emulator/echo", {})
    error = caught.value
    assert (error.code, error.may_have_executed) == ("FAL_E_CREDENTIALS_FAILED", False)
    assert error.message.startswith("explicit callback: ") and part in error.message
    assert error.explanation
    (failed,) = [source for source in error.explanation.sources if source.state == "failed"]
    assert failed.source == "explicit callback" and part in failed.notes[0]
    assert not any(secret in f"{error}{error!r}" for secret in ("fake-secret", "fake secret"))
    assert emulator.arrivals() == []


def test_a_later_answer_may_be_good(emulator: Emulator) -> None:
    client = Asked(OSError("not yet"), emulator.api_key).client(emulator)
    with pytest.raises(libfal.CredentialsError, match="not yet"):
        client.run("emulator/echo", {})
    assert client.run("emulator/echo", {})["key_id"] == emulator.key_id


def test_what_is_no_function_is_refused_at_once(emulator: Emulator) -> None:
    makers: list[Callable[..., object]] = [libfal.SyncClient, libfal.explain, emulator.client().set_credentials]
    for make in makers:
        with pytest.raises(TypeError, match="credential must be a callable, not str"):
            make(credential="fake-id:fake-secret")


def test_cancelling_a_call_does_not_end_the_question(emulator: Emulator) -> None:
    asked = Asked(emulator.api_key, seconds=0.5)
    client = asked.client(emulator)
    first, second = client.run_start("emulator/echo", {}), client.run_start("emulator/echo", {})
    first.cancel()
    with pytest.raises(libfal.CancelledError):
        first.result()
    assert second.result()["key_id"] == emulator.key_id
    assert len(asked.threads) == 1


def test_a_function_that_hangs_holds_neither_the_call_nor_the_end_of_the_program(emulator: Emulator) -> None:
    code = """
        import threading, libfal, logs
        client = logs.client(credential=lambda: threading.Event().wait())
        try:
            client.run("emulator/echo", {}, timeout=0.3)
        except libfal.FalClientTimeoutError as error:
            print(error.may_have_executed)
        operation = client.run_start("emulator/echo", {})
        libfal.shutdown()
        try:
            operation.result()
        except libfal.ShutDownError:
            print("shut down")
        client.run_start("emulator/echo", {})
    """
    assert output(code, FAL_EMULATOR_HOST=emulator.address) == "False\nshut down\n"


def test_it_is_asked_in_a_child_process(emulator: Emulator) -> None:
    code = """
        import os, warnings, libfal, logs
        # From 3.12 on, Python warns of a fork while the credential's thread runs.
        warnings.simplefilter("ignore", DeprecationWarning)
        client = logs.client(credential=lambda: os.environ["GIVEN"])
        client.run("emulator/echo", {})
        child = os.fork()
        if not child:
            client.set_credentials(credential=lambda: os.environ["GIVEN"])
            client.run("emulator/echo", {})
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert output(code, FAL_EMULATOR_HOST=emulator.address, GIVEN=emulator.api_key) == "7\n"
