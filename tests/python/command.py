"""Runs the command libfal as users do: as a program of its own. What it prints is searched for secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

# Warnings about open files are printed, and fail a test that expects an empty standard error.
COMMAND = [sys.executable, "-W", "default", "-m", "libfal"]


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


def start(
    *words: str, env: Mapping[str, str] = MappingProxyType({}), stdin: Any = subprocess.DEVNULL, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *words],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **env},
        # A shell starts background processes with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def end(process: subprocess.Popen[bytes], stdin: bytes | None = None, shows_secret: bool = False, encoding: str = "utf-8") -> Ended:
    with process:
        try:
            out, err = (part.decode(encoding, "surrogateescape") for part in process.communicate(stdin, timeout=60))
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert "fake-secret" not in err and (shows_secret or "fake-secret" not in out)
    assert "Traceback" not in err and "a defect" not in err
    if not shows_secret:
        _keep(out + err)
    return Ended(process.returncode, out, err)


def fal(
    *words: str,
    env: Mapping[str, str] = MappingProxyType({}),
    stdin: bytes | None = None,
    shows_secret: bool = False,
    cwd: Path | None = None,
) -> Ended:
    """Runs the command to its end."""
    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    process = start(*words, env=env, stdin=source, cwd=cwd)
    return end(process, stdin, shows_secret, env.get("PYTHONIOENCODING", "utf-8"))


def _keep(text: str) -> None:
    """Keeps the output, so that `make test` searches it for secrets of every form."""
    folder = os.environ.get("TEST_LOGS")
    if folder:
        with open(os.path.join(folder, "python-command.log"), "a", errors="surrogateescape") as file:
            file.write(text)
