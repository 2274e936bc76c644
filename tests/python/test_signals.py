"""Signal handlers that raise at any moment of a call."""

from __future__ import annotations

import time

import pytest
from conftest import Emulator, script

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


def running(emulator: Emulator) -> list[str]:
    """Returns the requests that the client has not ended."""
    return [arrival["path"] for arrival in emulator.arrivals() if arrival["outcome"] == "pending"]
