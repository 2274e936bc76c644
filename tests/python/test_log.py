"""Log functions of the caller."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import pytest
from conftest import Emulator, output

import libfal


def test_levels_choose_what_is_logged(emulator: Emulator) -> None:
    lines: dict[str, list[tuple[str, str]]] = {}
    for most in ("error", "warning", "info", "debug"):
        lines[most] = []
        sink = lines[most]
        emulator.fault({"type": "status", "status": 429, "retry_after": {"seconds": 0}})
        client = emulator.client(log=lambda *line: sink.append(line), log_level=most)
        client.run("emulator/echo", {})
        with pytest.raises(libfal.NotFoundError):
            client.run("nobody/nothing", {})
        libfal.flush_log()
    seen = {most: {level for level, _ in told} for most, told in lines.items()}
    assert seen == {
        "error": {"error"},
        "warning": {"error", "warning"},
        "info": {"error", "warning", "info"},
        "debug": {"error", "warning", "info", "debug"},
    }
    assert ("info", f"key {emulator.key_id} from explicit key") in lines["info"]
    assert ("debug", "POST https://fal.run/emulator/echo") in lines["debug"]


def test_levels_are_the_methods_of_a_logger(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test")
    caplog.set_level(logging.DEBUG, "test")
    emulator.fault({"type": "status", "status": 429, "retry_after": {"seconds": 0}})
    emulator.client(log=lambda level, line: getattr(logger, level)(line), log_level="debug").run("emulator/echo", {})
    libfal.flush_log()
    assert {record.levelname for record in caplog.records} == {"DEBUG", "INFO", "WARNING"}


def test_an_exception_in_it_does_no_harm(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    def fail(level: str, line: str) -> None:
        raise ZeroDivisionError(line)

    client = emulator.client(log=fail, log_level="debug")
    assert client.run("emulator/echo", {"a": 1})["body"] == {"a": 1}
    libfal.flush_log()
    assert {report.exc_type for report in unraisable} == {ZeroDivisionError}
    assert {report.object for report in unraisable} == {fail}
    assert len(unraisable) == 3
    unraisable.clear()


def test_calling_libfal_in_it_is_refused_and_sends_nothing(emulator: Emulator) -> None:
    refused: list[libfal.FalClientError] = []

    def call_back(level: str, line: str) -> None:
        for call in (lambda: client.run("emulator/echo", {"from": "the log"}), libfal.shutdown):
            try:
                call()
            except libfal.FalClientError as error:
                refused.append(error)

    client = emulator.client(log=call_back, log_level="info")
    client.run("emulator/echo", {})
    libfal.flush_log()
    assert [type(error) for error in refused] == [libfal.UsageError] * 2
    assert {error.code for error in refused} == {"FAL_E_WOULD_DEADLOCK"}
    assert len(emulator.arrivals()) == 1


def test_it_runs_while_every_thread_waits(emulator: Emulator) -> None:
    threads: set[int] = set()
    client = emulator.client(log=lambda *_: threads.add(threading.get_ident()), log_level="debug")
    others = [threading.Thread(target=client.run, args=("emulator/slow", {"ms": 300})) for _ in range(4)]
    for other in others:
        other.start()
    client.run("emulator/slow", {"ms": 300})
    for other in others:
        other.join()
    libfal.flush_log()
    assert threads and threading.get_ident() not in threads


def test_many_threads_that_make_clients_and_log_at_once_do_not_hang(emulator: Emulator) -> None:
    code = """
        import faulthandler, logging, threading
        import libfal

        faulthandler.dump_traceback_later(50, exit=True)
        lines = []

        class Kept(logging.Handler):
            def emit(self, record):
                lines.append(self.format(record))

        logger = logging.getLogger("app")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(Kept())
        start = threading.Barrier(8)
        failed = []

        def work():
            try:
                start.wait()
                for _ in range(10):
                    client = libfal.SyncClient(log=lambda level, line: getattr(logger, level)(line), log_level="debug")
                    client.explain()
                    client.run("emulator/echo", {})
                    del client
            except BaseException as error:
                failed.append(error)
                raise

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        libfal.shutdown()
        print("done", not failed, len(lines) >= 80 * 2)
    """
    assert output(code, **emulator.environment()) == "done True True\n"


def test_without_it_nothing_is_printed(emulator: Emulator) -> None:
    code = """
        import libfal
        client = libfal.SyncClient()
        client.run("emulator/echo", {})
        for call in (lambda: client.run("nobody/nothing", {}), lambda: client.request("GET", "https://example.com")):
            try:
                call()
            except libfal.FalClientError:
                pass
        print("end")
    """
    assert output(code, **emulator.environment()) == "end\n"
