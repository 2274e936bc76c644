"""A process that is stopped for a while, as by a laptop that sleeps."""

from __future__ import annotations

import signal

from conftest import Emulator, script


def test_a_job_is_cancelled_whose_time_passed_meanwhile(emulator: Emulator) -> None:
    """When the process goes on, the pause between two requests and the time of the call are over at once."""
    # So that the client polls.
    emulator.fault({"type": "status", "status": 404}, path="*/status/stream", times=None)
    program = script(
        """
        import logs, libfal

        try:
            logs.client().subscribe("emulator/job", {"ms": 3_600_000}, client_timeout=1.5)
        except libfal.FalClientTimeoutError as error:
            print(error.request_id, flush=True)
        input()
        """,
        **emulator.environment(),
    )
    with program:
        assert program.stdin and program.stdout
        emulator.arrivals(path="*/status", wait_for=2, timeout_ms=20_000)
        program.send_signal(signal.SIGSTOP)
        # The end of the time is waited for by nothing else.
        emulator.arrivals(path="/none", wait_for=1, timeout_ms=1_700)
        program.send_signal(signal.SIGCONT)
        job = program.stdout.readline().strip()
        assert emulator.arrivals(method="PUT", path=f"*/{job}/cancel", wait_for=1, timeout_ms=20_000)
        program.communicate("\n", timeout=30)
    assert program.returncode == 0
