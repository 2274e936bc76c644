"""Waiting for a call, while other threads run, Ctrl-C is pressed, the process forks or ends."""

from __future__ import annotations

import copy
import pickle
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import logs
import pytest
from conftest import Emulator, output, script

import libfal

SLOW = {"ms": 60_000}


def test_an_operation_is_polled_waited_for_and_asked_again(emulator: Emulator) -> None:
    operation = emulator.client().run_start("emulator/slow", {"ms": 300})
    assert not operation.done()
    assert operation.wait(0) is False
    assert operation.wait(0.01) is False
    with pytest.raises(TimeoutError):
        operation.result(timeout=0.01)
    assert operation.result()["ms"] == 300
    assert operation.done() and operation.wait() is True
    assert operation.result() is operation.result()
    assert len(emulator.arrivals()) == 1


def test_an_operation_that_failed_says_so_each_time(emulator: Emulator) -> None:
    operation = emulator.client().request_start("GET", "/v1/keys")
    for _ in range(2):
        with pytest.raises(libfal.ForbiddenError):
            operation.result()


def test_cancelling_closes_the_connection(emulator: Emulator) -> None:
    operation = emulator.client().run_start("emulator/slow", SLOW)
    emulator.arrivals(wait_for=1)
    operation.cancel()
    operation.cancel()
    with pytest.raises(libfal.CancelledError) as caught:
        operation.result(timeout=10)
    assert caught.value.may_have_executed
    assert closed_by_client(emulator)


def closed_by_client(emulator: Emulator) -> bool:
    """Whether the client closed the connection of the only request, now or within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        (arrival,) = emulator.arrivals()
        if arrival["outcome"] != "pending":
            return bool(arrival["outcome"] == "client_closed")
        time.sleep(0.005)
    return False


def test_waiting_from_many_threads(emulator: Emulator) -> None:
    client = emulator.client()

    def work(thread: int) -> list[int]:
        return [client.run("emulator/echo", {"n": 100 * thread + call})["body"]["n"] for call in range(20)]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(work, range(16)))
    assert answers == [[100 * thread + call for call in range(20)] for thread in range(16)]
    assert len(emulator.arrivals()) == 320


def test_another_thread_runs_while_one_waits(emulator: Emulator) -> None:
    waiting = threading.Thread(target=emulator.client().run, args=("emulator/slow", {"ms": 1000}))
    waiting.start()
    # If the call held the interpreter's lock, this thread would continue only after it.
    (arrival,) = emulator.arrivals(wait_for=1)
    assert arrival["outcome"] == "pending"
    assert waiting.is_alive()
    waiting.join()


def test_bytes_are_shared_while_they_are_sent_and_then_let_go(emulator: Emulator) -> None:
    content = b"x" * 1_000_000
    before = sys.getrefcount(content)
    client = emulator.client()
    emulator.fault({"type": "none"}, delay_ms=300, path="/emulator/echo")
    operation = client.request_start("POST", "https://fal.run/emulator/echo", content=content)
    assert sys.getrefcount(content) > before
    assert operation.result().status_code == 200
    end = time.monotonic() + 10
    while sys.getrefcount(content) > before and time.monotonic() < end:
        # A reference that the runtime releases without the interpreter's lock is dropped at the next call.
        operation.wait(0)
        time.sleep(0.01)
    assert sys.getrefcount(content) == before


@pytest.mark.parametrize(
    "call",
    [
        'client.run("emulator/slow", {"ms": 60000})',
        'client.request("POST", "https://fal.run/emulator/slow", json={"ms": 60000})',
        'libfal.run("emulator/slow", {"ms": 60000})',
    ],
)
def test_ctrl_c_ends_a_call(emulator: Emulator, call: str) -> None:
    code = f"""
        import sys, time, libfal, logs
        client = logs.client()
        try:
            {call}
        except KeyboardInterrupt:
            print(time.monotonic(), flush=True)
            sys.stdin.read()
            raise
    """
    with script(code, **emulator.environment()) as process:
        assert process.stdin and process.stdout and process.stderr
        emulator.arrivals(wait_for=1)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        took = float(process.stdout.readline()) - sent
        print(f"Ctrl-C took {1000 * took:.0f} ms")
        # The process still runs, so libfal closed the connection, and not the end of the process.
        assert closed_by_client(emulator)
        assert process.poll() is None
        process.stdin.close()
        complaints = process.stderr.read()
        assert process.wait(timeout=10) == -signal.SIGINT
    assert "KeyboardInterrupt" in complaints
    assert took < 1


@pytest.mark.parametrize("wait", ["operation.result()", "operation.wait()", "operation.result(50)"])
def test_ctrl_c_ends_a_wait_and_leaves_the_call_alone(emulator: Emulator, wait: str) -> None:
    code = f"""
        import libfal, logs
        operation = logs.client().run_start("emulator/slow", {{"ms": 60000}})
        try:
            {wait}
        except KeyboardInterrupt:
            print(operation.done())
    """
    with script(code, **emulator.environment()) as process:
        emulator.arrivals(wait_for=1)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=10) == ("False\n", "")
    assert process.returncode == 0


def test_a_signal_handler_that_raises_nothing_ends_nothing(emulator: Emulator) -> None:
    code = """
        import os, signal, libfal
        signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        print(libfal.run("emulator/slow", {"ms": 500})["ms"])
    """
    assert output(code, **emulator.environment()) == "alarm\n500\n"


def test_a_client_made_before_a_fork_works_in_the_child(emulator: Emulator) -> None:
    code = """
        import os, warnings, libfal, logs
        warnings.simplefilter("ignore", DeprecationWarning)
        client = logs.client()
        assert client.run("emulator/echo", {"n": 0})["body"] == {"n": 0}
        before = client.run_start("emulator/slow", {"ms": 200})
        if not (child := os.fork()):
            answers = [client.run("emulator/echo", {"n": n})["body"]["n"] for n in range(1, 4)]
            assert libfal.run("emulator/echo", {})["body"] == {}
            try:
                before.result()
            except libfal.UsageError as error:
                print(answers, error.code, flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(before.result()["ms"], client.run("emulator/echo", {"n": 4})["body"])
    """
    assert output(code, **emulator.environment()) == "[1, 2, 3] FAL_E_FORKED\n200 {'n': 4}\n"


def test_multiprocessing_by_fork(emulator: Emulator) -> None:
    code = """
        import multiprocessing, warnings, libfal, logs
        warnings.simplefilter("ignore", DeprecationWarning)
        client = logs.client()
        def work(n):
            return client.run("emulator/echo", {"n": n})["body"]["n"]
        assert work(-1) == -1
        with multiprocessing.get_context("fork").Pool(3) as pool:
            print(pool.map(work, range(12)))
            pool.close()
            pool.join()
    """
    assert output(code, **emulator.environment()) == f"{list(range(12))}\n"


@pytest.mark.parametrize(
    "left",
    [
        'operation = client.run_start("emulator/slow", {"ms": 60000})',
        'threading.Thread(target=client.run, args=("emulator/slow", {"ms": 60000}), daemon=True).start()',
    ],
)
def test_the_process_ends_without_waiting(emulator: Emulator, left: str) -> None:
    code = f"""
        import threading, urllib.request, libfal, logs
        client = logs.client(log=lambda *_: None, log_level="debug")
        {left}
        input()
    """
    with script(code, **emulator.environment()) as process:
        emulator.arrivals(wait_for=1)
        started = time.monotonic()
        printed = process.communicate("\n", timeout=30)
        took = time.monotonic() - started
    assert (process.returncode, *printed) == (0, "", "")
    assert took < 5
    assert closed_by_client(emulator)


def test_handles_stay_in_their_process(emulator: Emulator) -> None:
    client = emulator.client()
    operation = client.run_start("emulator/echo", {})
    for handle in (client, operation):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(handle)
        assert copy.copy(handle) is handle
        assert copy.deepcopy([handle])[0] is handle
    assert operation.result()
