"""Programs that end, fork, import again and interrupt at any moment."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import logs
import pytest
from conftest import Emulator, output, script

import libfal

ENDS = {
    "a log function": """
        import logs, time
        def log(level, line):
            time.sleep(0)
            for _ in range(100_000):
                pass
        client = logs.client(log=log, log_level="debug")
        operations = [client.run_start("emulator/echo", {"n": n}) for n in range(20)]
        operations[0].wait()
    """,
    "logging": """
        import logging, logs
        logging.basicConfig(level=logging.DEBUG)
        logger = logging.getLogger("app")
        client = logs.client(log=lambda level, line: getattr(logger, level)(line), log_level="debug")
        operations = [client.run_start("emulator/echo", {"n": n}) for n in range(40)]
        operations[0].wait()
    """,
    "daemon threads": """
        import logs, threading, libfal
        client = logs.client(log=None)
        large = {"a": [{"k": n, "s": "x" * 10} for n in range(2000)]}
        begun = threading.Event()
        def work():
            while True:
                client.run("emulator/echo", large)["body"]["a"][0]["k"]
                begun.set()
        for _ in range(6):
            threading.Thread(target=work, daemon=True).start()
        begun.wait(30)
    """,
}


@pytest.mark.parametrize("while_", ENDS)
def test_the_program_ends_well_whatever_is_under_way(emulator: Emulator, while_: str) -> None:
    def end(_run: int) -> tuple[int, str]:
        with script(ENDS[while_], **emulator.environment()) as process:
            _, complaints = process.communicate(timeout=60)
        return int(process.returncode), "" if while_ == "logging" else complaints

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(end, range(20))) == {(0, "")}


def test_the_last_lines_are_not_lost_when_the_program_ends(emulator: Emulator) -> None:
    code = """
        import time, libfal, logs
        # One second may be too short on a busy machine.
        libfal._callbacks._LAST_WORDS = 30.0
        def log(level, line):
            time.sleep(0.02)
            print(line)
        logs.client(log=log, log_level="debug").run("emulator/echo", {})
    """
    printed = output(code, **emulator.environment())
    assert "POST https://fal.run/emulator/echo" in printed and "200" in printed.splitlines()[-1]


def test_a_log_function_that_never_returns_does_not_keep_the_program(emulator: Emulator) -> None:
    code = """
        import threading, libfal, logs
        begun = threading.Event()
        client = logs.client(log=lambda *_: (begun.set(), threading.Event().wait()), log_level="debug")
        client.run("emulator/echo", {})
        begun.wait(30)
        libfal._callbacks._PATIENCE = 0.2
    """
    assert output(code, **emulator.environment()) == ""


def test_a_log_function_that_takes_its_time_holds_up_nobody(emulator: Emulator) -> None:
    over = threading.Event()
    lock = threading.Lock()
    heard: list[str] = []

    def log(level: str, line: str) -> None:
        over.wait(60)
        with lock:
            heard.append(line)

    noisy = [emulator.client(log=log, log_level="debug") for _ in range(3)]
    with lock:
        for client in noisy:
            assert client.run("emulator/echo", {}, timeout=30)["body"] == {}
        with pytest.raises(libfal.FalClientTimeoutError):
            noisy[0].run("emulator/slow", {"ms": 60_000}, timeout=0.3)
        with pytest.raises(libfal.FalClientTimeoutError, match="log"):
            libfal.flush_log(0.05)
    assert heard == []
    over.set()
    libfal.flush_log(30)
    assert len(heard) > 8


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_programs_that_functions_start_have_the_signals_of_the_program(emulator: Emulator) -> None:
    code = """
        import os, subprocess, logs
        def blocked():
            status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout
            return next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
        seen = {blocked()}
        def credential():
            seen.add(blocked())
            return os.environ["GIVEN"]
        logs.client(credential=credential, log=lambda *_: seen.add(blocked())).run("emulator/echo", {})
        import libfal
        libfal.flush_log()
        print(len(seen))
    """
    assert output(code, FAL_EMULATOR_HOST=emulator.address, GIVEN=emulator.api_key) == "1\n"


FIRST = {
    "the default client": 'libfal.run("emulator/echo", {}, timeout=30)["body"]',
    "a client and an error": 'logs.client().run("emulator/fail/uncaught_exception", {}, timeout=30)',
    "a profile": "libfal.profiles(), libfal.explain()",
    "the fields of a dataclass": "libfal.Check.__dataclass_fields__",
    "Python's own encoder": 'libfal.run("emulator/echo", {"a": 10**30}, timeout=30)["body"]',
}


@pytest.mark.parametrize("use", FIRST)
def test_a_child_that_is_forked_during_a_first_use_does_not_hang(emulator: Emulator, use: str) -> None:
    code = f"""
        import faulthandler, os, sys, threading, warnings
        import libfal, logs
        warnings.simplefilter("ignore", DeprecationWarning)
        def first():
            try:
                {FIRST[use]}
            except libfal.FalClientError:
                pass
        sys.setswitchinterval(1e-5)
        thread = threading.Thread(target=first)
        thread.start()
        if not (child := os.fork()):
            faulthandler.dump_traceback_later(40, exit=True)
            first()
            os._exit(0)
        print(os.waitpid(child, 0)[1])
        thread.join()
    """
    with ThreadPoolExecutor(4) as pool:
        printed = set(pool.map(lambda _: output(code, **emulator.environment()), range(20)))
    assert printed == {"0\n"}


def test_a_child_that_is_forked_during_the_first_use_of_a_name_has_all_of_them() -> None:
    code = """
        import faulthandler, os, sys, threading, warnings, libfal
        warnings.simplefilter("ignore", DeprecationWarning)
        sys.setswitchinterval(1e-5)
        thread = threading.Thread(target=lambda: libfal.SyncClient)
        thread.start()
        if not (child := os.fork()):
            faulthandler.dump_traceback_later(40, exit=True)
            os._exit(libfal.async_client.default_timeout != 120 or "run" not in dir(libfal))
        print(os.waitpid(child, 0)[1])
        thread.join()
    """
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: output(code), range(12))) == {"0\n"}


def test_a_child_that_is_forked_while_an_answer_is_decoded_decodes_it_too() -> None:
    code = """
        import faulthandler, json, os, sys, threading, warnings, libfal
        warnings.simplefilter("ignore", DeprecationWarning)
        body = json.dumps([{"k": n} for n in range(20_000)]).encode("utf-16")
        sys.setswitchinterval(1e-5)
        for _ in range(20):
            answer = libfal.Response(200, {}, body)
            thread = threading.Thread(target=answer.json)
            thread.start()
            if not (child := os.fork()):
                faulthandler.dump_traceback_later(40, exit=True)
                os._exit(len(answer.json()) != 20_000)
            assert os.waitpid(child, 0)[1] == 0
            thread.join()
        print("done")
    """
    assert output(code) == "done\n"


@pytest.mark.parametrize(("decoder", "encoding"), [("the core's", "utf-8"), ("Python's", "utf-16")])
def test_an_answer_may_be_looked_at_while_it_is_decoded(decoder: str, encoding: str) -> None:
    code = f"""
        import faulthandler, gc, json, signal, libfal
        faulthandler.dump_traceback_later(40, exit=True)
        body = json.dumps({{"id": 1, "l": [{{"k": n}} for n in range(100_000)]}}).encode({encoding!r})
        answer = libfal.Response(200, {{}}, body)
        seen = []
        class Job:
            def __init__(self):
                self.me = self
            def __del__(self):
                seen.append(answer.json()["id"])
        gc.collect()
        Job()
        signal.signal(signal.SIGALRM, lambda *_: seen.append(len(answer.json()["l"])))
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        assert answer.json()["id"] == 1 and answer.json() is answer.json()
        gc.collect()
        while len(seen) < 2:
            signal.pause()
        print(sorted(seen), gc.isenabled())
    """
    assert output(code) == "[1, 100000] True\n", decoder


def test_the_collector_stays_off_where_the_program_has_turned_it_off() -> None:
    gc.disable()
    try:
        libfal.Response(200, {}, b"[1]").json()
        assert not gc.isenabled()
    finally:
        gc.enable()


class App:
    """Part of a program: it refers to its client, and the client refers to it."""

    def __init__(self, emulator: Emulator, how: str) -> None:
        self.key = emulator.api_key
        key = None if how == "credential" else self.key
        self.client = emulator.client(key=key, **{how: getattr(self, how)})

    def log(self, level: str, line: str) -> None:
        pass

    def credential(self) -> str:
        return self.key


@pytest.mark.parametrize("how", ["log", "credential"])
def test_a_client_and_what_holds_it_are_freed_together(emulator: Emulator, how: str) -> None:
    apps: list[weakref.ref[App]] = []
    for _ in range(5):
        app = App(emulator, how)
        app.client.run("emulator/echo", {})
        apps.append(weakref.ref(app))
        del app
    end = time.monotonic() + 10
    # The thread that called the function last may still hold a reference to it.
    while any(app() for app in apps) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    assert [app() for app in apps] == [None] * 5


def test_functions_live_as_long_as_the_calls_that_need_them(emulator: Emulator) -> None:
    lines: list[str] = []

    def ask() -> str:
        time.sleep(0.2)
        return emulator.api_key

    client = emulator.client(key=None, credential=ask, log=lambda _, line: lines.append(line))
    operation = client.run_start("emulator/echo", {})
    del client
    gc.collect()
    assert operation.result()["key_id"] == emulator.key_id
    libfal.flush_log()
    assert lines
    emulator.client(key=None, credential=lambda: emulator.api_key).run_start("emulator/slow", {"ms": 1})
    gc.collect()
    (_, forgotten) = emulator.arrivals(wait_for=2)
    assert forgotten["path"] == "/emulator/slow" and forgotten["had_key"]


def test_a_closed_client_starts_nothing_and_what_is_under_way_goes_on(emulator: Emulator) -> None:
    with emulator.client() as client:
        operation = client.run_start("emulator/slow", {"ms": 100})
    client.close()
    assert operation.result()["ms"] == 100
    calls: list[Callable[[], object]] = [lambda: client.run("emulator/echo", {}), client.explain, client.check, client.__enter__]
    for call in calls:
        with pytest.raises(libfal.UsageError, match="closed") as caught:
            call()
        assert (caught.value.code, caught.value.remedy) == ("FAL_E_CLOSED", "Make another client.")
    assert len(emulator.arrivals()) == 1


class Odd(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (OSError("no such file: caf\udce9"), r"OSError: no such file: caf\\udce9"),
        (Odd(), "Odd"),
        (RuntimeError("x" * 10_000_000), "RuntimeError: xxx"),
        (GeneratorExit("why"), "GeneratorExit: why"),
    ],
    ids=["surrogates", "str raises", "long", "base exception"],
)
def test_no_failure_of_a_credential_function_is_lost(emulator: Emulator, raised: BaseException, said: str) -> None:
    def ask() -> str:
        raise raised

    with pytest.raises(libfal.CredentialsError, match=f"explicit callback: {said}") as caught:
        emulator.client(key=None, credential=ask).run("emulator/echo", {}, timeout=30)
    assert len(str(caught.value)) < 10_000


@pytest.mark.parametrize(
    "call",
    [
        'libfal.store_key("b", "fake-id:fake-secret")',
        'libfal.remove_key("a")',
        "libfal.set_active_profile(None)",
        "libfal.shutdown(30)",
    ],
    ids=["store_key", "remove_key", "set_active_profile", "shutdown"],
)
def test_ctrl_c_ends_every_wait(emulator: Emulator, home: Path, call: str) -> None:
    config = home / ".fal" / "config.toml"
    config.parent.mkdir()
    config.write_text('active = "a"\n[a]\nkey = "fake-id:fake-secret"\n')
    config.chmod(0o600)
    code = f"""
        import fcntl, os, signal, threading, time, libfal, logs
        # Another program changes the file, and the log function is slow.
        lock = os.open(os.environ["HOME"] + "/.fal/config.toml.lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun, over = threading.Event(), threading.Event()
        client = logs.client(log=lambda *_: (begun.set(), over.wait(30)), log_level="debug")
        operation = client.run_start("emulator/echo", {{}})
        begun.wait(30)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        waited = time.monotonic()
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - waited < 10)
        over.set()
    """
    assert output(code, **emulator.environment()) == "interrupted True\n"


def test_clients_and_operations_can_be_patched_and_referred_to_weakly(emulator: Emulator) -> None:
    client: Any = emulator.client()
    with mock.patch.object(client, "run", return_value="patched"):
        assert client.run("a/b", {}) == "patched"
    with mock.patch.object(libfal.SyncClient, "run", return_value="patched"):
        assert client.run("a/b", {}) == "patched"
    operation = client.run_start("emulator/echo", {})
    for it in (client, operation, client.with_raw_response.run("emulator/echo", {})):
        assert weakref.ref(it)() is it
    assert "max_attempts: 1 to 100" in (libfal.SyncClient.__doc__ or "")


def test_numbers_and_texts_that_no_machine_has_are_invalid_arguments(emulator: Emulator) -> None:
    client = emulator.client()
    operation = client.run_start("emulator/echo", {})
    calls: list[Callable[[], object]] = [
        lambda: logs.client(max_attempts=2**70),
        lambda: logs.client(max_response_bytes=-(2**70)),
        lambda: logs.client(default_timeout=10**400),
        lambda: client.mint_token("emulator/echo", seconds=2**70),
        lambda: client.run("emulator/echo", {}, timeout=10**400),
        lambda: operation.wait(10**400),
        lambda: operation.wait(float("nan")),
        lambda: libfal.profiles("a\0b"),
        lambda: client.run("\ud800/x", {}),
    ]
    for call in calls:
        with pytest.raises(libfal.InvalidArgumentError) as caught:
            call()
        assert caught.value.code == "FAL_E_INVALID_ARGUMENT" and caught.value.remedy
    assert operation.wait(1e300)
    with pytest.raises(libfal.DecodeError):
        libfal.Response(200, {}, b"[" * 100_000 + b"]" * 100_000).json()
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(libfal.InvalidArgumentError, match="deeper than"):
        client.run("emulator/echo", deep)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and /proc")
def test_an_answer_that_does_not_fit_into_memory_is_an_error_and_a_smaller_one_comes_later(emulator: Emulator) -> None:
    code = """
        import resource, libfal, logs
        client = logs.client()
        kept = client.with_raw_response.run("emulator/bytes", {"size": 100_000_000})
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 60_000_000, resource.RLIM_INFINITY))
        for look in (lambda: kept.content, lambda: client.with_raw_response.run("emulator/bytes", {"size": 100_000_000})):
            try:
                look()
            except (MemoryError, libfal.ResourceError) as error:
                print(type(error).__name__)
        print(client.run("emulator/echo", {"a": 1})["body"])
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(len(kept.content))
    """
    assert output(code, **emulator.environment()) == "MemoryError\nResourceError\n{'a': 1}\n100000000\n"


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and /proc")
def test_an_input_that_does_not_fit_into_memory_is_no_wrong_input(emulator: Emulator) -> None:
    code = """
        import decimal, resource, libfal, logs
        client = logs.client()
        client.run("emulator/echo", {})
        long = "x" * 100_000_000
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 60_000_000, resource.RLIM_INFINITY))
        for value in (long, {long: 1}, [long, decimal.Decimal(1)]):
            try:
                client.run("emulator/echo", {"a": value})
            except MemoryError:
                print("MemoryError")
        print(client.run("emulator/echo", {"a": 1})["body"])
    """
    assert output(code, **emulator.environment()) == "MemoryError\n" * 3 + "{'a': 1}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="RUSAGE_THREAD")
def test_who_only_waits_hardly_wakes(emulator: Emulator) -> None:
    code = """
        import resource, threading, logs
        operation = logs.client().run_start("emulator/slow", {"ms": 60000})
        def wait():
            before = resource.getrusage(resource.RUSAGE_THREAD)
            operation.wait(2)
            after = resource.getrusage(resource.RUSAGE_THREAD)
            print(after.ru_nvcsw - before.ru_nvcsw < 20)
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    """
    assert output(code, **emulator.environment()) == "True\n"
