"""Runs examples/c/subscribe as a user does: a job that ends, one with logs, one that Ctrl-C cancels, and no key.

usage: fal-emulator exec -- subscribe.py PROGRAM
"""

import http.client
import json
import os
import signal
import subprocess
import sys

PATIENCE = 60
SECRET = os.environ["FAL_KEY"].split(":")[1]


def begin(program: str, *arguments: str, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        [program, *arguments], env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen) -> tuple:
    """Returns the exit status and both outputs, which must not contain the secret."""
    out, errors = process.communicate(timeout=PATIENCE)
    assert SECRET not in out + errors, "a secret is shown"
    print(out + errors, end="")
    return process.returncode, out, errors


def cancellations() -> list:
    emulator = http.client.HTTPConnection(os.environ["FAL_EMULATOR_HOST"], timeout=PATIENCE)
    emulator.request("GET", "/_emulator/requests?method=PUT")
    arrivals = json.load(emulator.getresponse())["requests"]
    emulator.close()
    return [arrival["path"] for arrival in arrivals]


def main(program: str) -> None:
    status, out, errors = end(begin(program))
    assert (status, errors) == (0, ""), status
    assert out.startswith("status:  IN_QUEUE, 0 ahead\n") and "\nstatus:  COMPLETED\nresult:  {" in out
    assert "https://v3b.fal.media/" in out.splitlines()[-1]

    job = {"ms": 300, "logs": ["loading", "drawing"], "output": {"x": 1}}
    status, out, errors = end(begin(program, "emulator/job", json.dumps(job)))
    assert (status, errors) == (0, ""), status
    assert [line for line in out.splitlines() if line.startswith("log:")] == ["log:     loading", "log:     drawing"]
    assert out.endswith('\nstatus:  COMPLETED\nresult:  {"x":1}\n')

    assert cancellations() == []
    running = begin(program, "emulator/job", json.dumps({"ms": 3_600_000}))
    while "IN_PROGRESS" not in (line := running.stdout.readline()):
        assert line, "it ended by itself"
    running.send_signal(signal.SIGINT)
    status, out, errors = end(running)
    assert status == 1 and errors.startswith("error: the call was cancelled") and "result:" not in out
    assert len(cancellations()) == 1 and cancellations()[0].endswith("/cancel"), "fal was not told"

    status, out, errors = end(begin(program, "not an endpoint"))
    assert status == 1 and errors.startswith("error: ") and "do:    " in errors
    status, out, errors = end(begin(program, FAL_KEY=""))
    assert status == 1 and errors.startswith("error: no fal key found") and "FAL_KEY=" in errors
    print("subscribe: every job as it should be")


if __name__ == "__main__":
    main(*sys.argv[1:])
