"""Signal handlers that raise at any moment of a call."""

from __future__ import annotations

import time

import pytest
from conftest import Emulator, output, script

CALLS = {
    "run": 'client.run("emulator/slow", {"ms": 60_000})',
    "stream": 'list(client.stream("emulator/stream", {"events": [1, 2], "ms": 60_000}))',
}


@pytest.mark.parametrize("call", CALLS)
def test_no_call_is_left_behind(emulator: Emulator, call: str) -> None:
    """The exception comes at another moment each time, also while the core starts the call."""
    code = f"""
        import signal, libfal, logs
        class Stop(Exception):
            pass
        def stop(*_):
            raise Stop
        signal.signal(signal.SIGALRM, stop)
        client = logs.client(log=None)
        client.run("emulator/echo", {{}})
        for n in range(80):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + n * 0.00004)
                {CALLS[call]}
            except Stop:
                pass
        print("done", flush=True)
        input()
    """
    with script(code, **emulator.environment()) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "done\n"
        end = time.monotonic() + 20
        while running(emulator) and time.monotonic() < end:
            time.sleep(0.02)
        assert running(emulator) == []
        process.communicate("\n", timeout=30)


KEPT = {
    "run": ("synchronous", 'client.run("emulator/slow", {"ms": 60_000})'),
    "run with options": ("synchronous", 'client.run("emulator/slow", {"ms": 60_000}, hint="a")'),
    "run of AsyncClient": ("asynchronous", 'await twin.run("emulator/slow", {"ms": 60_000})'),
    "run of AsyncClient with options": ("asynchronous", 'await twin.run("emulator/slow", {"ms": 60_000}, hint="a")'),
    "realtime": ("synchronous", 'client.realtime("emulator/realtime").__enter__()'),
    "realtime of AsyncClient": ("asynchronous", 'await twin.realtime("emulator/realtime").__aenter__()'),
}


@pytest.mark.parametrize("call", KEPT)
def test_a_call_is_cancelled_whose_exception_is_kept(emulator: Emulator, call: str) -> None:
    """As by pytest, and by an interactive Python. The exception comes at each step of the functions that have the operation."""
    kind, what = KEPT[call]
    code = f"""
        import asyncio, sys, time, traceback, libfal, logs
        NAMES = {{"finish", "_at_once", "outcome", "output", "run_plain", "step", "value_of", "wait", "ended", "_begun"}}
        left = 0

        def step(frame, event, _):
            global left
            if frame.f_code.co_name not in NAMES or "libfal" not in frame.f_code.co_filename:
                return None
            # A signal handler runs at no other event.
            left -= event in ("call", "line")
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
            return step

        def synchronous():
            sys.settrace(step)
            {what if kind == "synchronous" else None}

        async def main():
            def give_up(task=asyncio.current_task()):
                sys.settrace(None)
                task.cancel()
            twin = logs.async_client(log=None)
            await twin.run("emulator/echo", {{}})
            asyncio.get_running_loop().call_later(0.05, give_up)
            sys.settrace(step)
            {what if kind == "asynchronous" else None}

        def asynchronous():
            asyncio.run(main())

        client = logs.client(log=None)
        client.run("emulator/echo", {{}})
        kept = []
        for steps in range(1, 40):
            left = steps
            try:
                {kind}()
                sys.settrace(None)
                break
            except KeyboardInterrupt as error:
                kept.append(error)
            except asyncio.CancelledError:
                break
        frames = [frame for error in kept for frame, _ in traceback.walk_tb(error.__traceback__)]
        values = [value for frame in frames for value in frame.f_locals.values()]
        values += [held for value in values if type(value) is list for held in value]
        values += [value.op() for value in values if type(value) is libfal._libfal.Session]
        ops = [value for value in values if type(value) is libfal._libfal.Op]
        end = time.monotonic() + 10
        while not all(op.ended() for op in ops) and time.monotonic() < end:
            time.sleep(0.01)
        print(len(ops) > 3, *(op for op in ops if not op.ended()))
    """
    assert output(code, **emulator.environment()) == "True\n"


def running(emulator: Emulator) -> list[str]:
    """Returns the requests that the client has not ended."""
    return [arrival["path"] for arrival in emulator.arrivals() if arrival["outcome"] == "pending"]
