"""python -m libfal.emulator: the program fal-emulator, wherever it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import libfal.emulator
import pytest
from conftest import EMULATOR

SHOW = "import os; print(os.environ['FAL_KEY'], os.environ['FAL_EMULATOR_HOST'])"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "libfal.emulator", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


def test_it_runs_a_command() -> None:
    ended = run("exec", "--", sys.executable, "-c", SHOW, FAL_EMULATOR_BIN=EMULATOR, FAL_KEY="fake-id:fake-secret")
    assert ended.returncode == 0, ended.stderr
    key, host = ended.stdout.split()
    assert key.startswith("fake-api-") and host.startswith("127.0.0.1:")


def test_the_exit_status_and_the_arguments_are_the_programs() -> None:
    assert run("exec", "--", "sh", "-c", "exit 7", FAL_EMULATOR_BIN=EMULATOR).returncode == 7
    wrong = run("dance", FAL_EMULATOR_BIN=EMULATOR)
    assert (wrong.returncode, "dance is not a command" in wrong.stderr) == (2, True), wrong.stderr


def test_a_program_that_cannot_start_is_127() -> None:
    ended = run("--version", FAL_EMULATOR_BIN="/no/such/program")
    assert (ended.returncode, "/no/such/program" in ended.stderr) == (127, True), ended.stderr


def test_it_is_found_in_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAL_EMULATOR_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="pip install"):
        libfal.emulator.program()
    link = tmp_path / "fal-emulator"
    link.symlink_to(Path(EMULATOR).resolve())
    assert libfal.emulator.program() == str(link)
    monkeypatch.setenv("FAL_EMULATOR_BIN", EMULATOR)
    assert libfal.emulator.program() == EMULATOR
