"""The commands that run models: results, files, progress, and ends before the end."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command import COMMAND, end, fal, start
from conftest import Emulator


def submitted(emulator: Emulator) -> str:
    """Waits until a job is in the queue, and returns its id."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for one in emulator.arrivals(method="POST", host="queue.fal.run"):
            if one["outcome"] == 200:
                return str(one["request_id"])
        time.sleep(0.05)
    raise AssertionError("no job was submitted")


def cancellations(emulator: Emulator) -> list[Any]:
    return [one["outcome"] for one in emulator.arrivals(method="PUT", host="queue.fal.run")]


def test_a_result_is_json_for_people_and_for_programs(emulator: Emulator) -> None:
    words = "run", "emulator/echo", "prompt=a cat", "size.width=512", "seed=12345678901234567890"
    ended = fal(*words, env=emulator.environment())
    assert (ended.code, ended.err) == (0, "") and '\n  "' in ended.out
    body = {"prompt": "a cat", "size": {"width": 512}, "seed": 12345678901234567890}
    assert json.loads(ended.out)["body"] == body
    direct = fal("--json", *words, "--direct", env=emulator.environment())
    assert (direct.code, direct.json["body"]) == (0, body)
    assert [one["host"] for one in emulator.arrivals(method="POST")] == ["queue.fal.run", "fal.run"]


def test_a_file_of_the_input_is_uploaded(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"pixels")
    ended = fal("run", "emulator/echo", "image=@photo.png", "more.0=@photo.png", "--json", cwd=tmp_path, env=emulator.environment())
    body = ended.json["body"]
    assert body["image"].startswith("https://") and body["image"].endswith("photo.png") and body["more"][0].endswith("photo.png")
    assert ended.err == ""


def test_files_of_a_result_are_saved_and_replace_none(emulator: Emulator, tmp_path: Path) -> None:
    words = "run", "fal-ai/flux/schnell", "prompt=x", "num_images=2", "seed=1", "--out", "pictures/new"
    first = fal(*words, cwd=tmp_path, env=emulator.environment())
    assert first.code == 0
    paths = [tmp_path / line for line in first.out.splitlines()]
    assert len(set(paths)) == 2 and all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    again = fal(*words, "--json", cwd=tmp_path, env=emulator.environment())
    files = again.json["files"]
    assert len({*paths, *(tmp_path / file["path"] for file in files)}) == 4
    assert [file["url"] for file in files] == [image["url"] for image in again.json["result"]["images"]]
    assert files[1]["pointer"] == "/images/1/url"
    assert len(list((tmp_path / "pictures" / "new").iterdir())) == 4


def test_a_file_inside_the_result_is_saved_in_a_folder_of_any_name(emulator: Emulator, tmp_path: Path) -> None:
    folder = os.fsdecode(b"in\xff")
    output = {"file": {"url": "data:image/png;base64,AAAA", "file_name": "../../evil.png"}, "page": {"url": "https://example.com/"}}
    words = "run", "emulator/job", f"output={json.dumps(output)}", "--out", folder
    ended = fal(*words, cwd=tmp_path, env=emulator.environment())
    (made,) = (tmp_path / folder).iterdir()
    assert ended.code == 0 and ended.out == f"{folder}/{made.name}\n" and made.read_bytes() == b"\0\0\0"
    assert fal(*words, "--json", cwd=tmp_path, env=emulator.environment()).json["files"][0]["path"].startswith(f"{folder}/")
    none = fal("run", "emulator/job", 'output={"a": 1}', "--out", "in", cwd=tmp_path, env=emulator.environment())
    assert (none.code, json.loads(none.out)) == (0, {"a": 1}) and "names no file" in none.err
    assert not (tmp_path / "in").exists()


def test_a_file_that_cannot_be_saved_is_no_success(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fault({"type": "status", "status": 404}, method="GET", host="v3b.fal.media", times=1)
    ended = fal("run", "fal-ai/flux/schnell", "prompt=x", "num_images=2", "--out", ".", "--json", cwd=tmp_path, env=emulator.environment())
    assert ended.code == 1 and "1 of 2 files are missing" in ended.err and "libfal result fal-ai/flux/schnell" in ended.err
    assert "the model does not run again" in ended.err
    assert sorted(file["path"] is None for file in ended.json["files"]) == [False, True]


def test_a_result_that_is_not_json_can_be_read_again(emulator: Emulator, tmp_path: Path) -> None:
    ended = fal("run", "emulator/bytes", "size=10", "--out", "bytes", "--json", cwd=tmp_path, env=emulator.environment())
    error = ended.json["error"]
    assert ended.code == 1 and error["request_id"] and error["request_id"] in error["remedy"]
    assert not (tmp_path / "bytes").exists()
    ended = fal("result", "emulator/bytes", error["request_id"], "--json", env=emulator.environment())
    assert (ended.code, ended.json["error"]["remedy"]) == (1, error["remedy"])
    call = f"import libfal; print(libfal.{error['remedy'].partition('libfal.')[2].rstrip('.')})"
    shown = subprocess.run([sys.executable, "-c", call], env={**os.environ, **emulator.environment()}, capture_output=True, timeout=60)
    assert shown.stdout == b"b'\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\\t'\n"


def test_each_wrong_field_of_an_input_is_named(emulator: Emulator) -> None:
    ended = fal("run", "fal-ai/flux/schnell", "seed=x", "num_images=9", env=emulator.environment())
    assert ended.code == 4 and "body lists" not in ended.err
    for field in ("prompt", "seed", "num_images"):
        assert f"body.{field}: " in ended.err


def test_a_folder_that_cannot_be_made_costs_nothing(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = fal("run", "fal-ai/flux/schnell", "prompt=x", "--out", "file/pictures", cwd=tmp_path, env=emulator.environment())
    assert ended.code == 2 and "file/pictures" in ended.err and emulator.arrivals() == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_folder_that_cannot_be_written_costs_nothing(emulator: Emulator) -> None:
    ended = fal("run", "fal-ai/flux/schnell", "prompt=x", "--out", "/proc", env=emulator.environment())
    assert ended.code == 2 and "/proc" in ended.err and emulator.arrivals() == []


@pytest.mark.parametrize(
    ("model", "words", "code"),
    [
        ("fal-ai/flux/schnell", ["seed=x"], 4),
        ("emulator/nothing-here", [], 4),
        ("emulator/fail", ["type=internal_server_error"], 1),
        ("emulator/echo", ["--profile", "none"], 3),
    ],
)
def test_a_failed_run_has_an_exit_code_and_an_error_as_json(emulator: Emulator, model: str, words: list[str], code: int) -> None:
    ended = fal("run", model, *words, "--json", env=emulator.environment())
    error = ended.json["error"]
    assert (ended.code, error["exit_code"]) == (code, code), ended.err
    assert f"error: {error['message']}" in ended.err and error["remedy"] in ended.err


def test_a_server_that_never_answers_is_left_in_time(emulator: Emulator) -> None:
    emulator.fault({"type": "hang"}, times=None)
    asked = fal("status", "emulator/job", "11111111-2222-4333-8444-555555555555", "--timeout", "1", "--json", env=emulator.environment())
    assert asked.code == 5 and asked.json["error"]["code"] == "FAL_E_DEADLINE"
    ended = fal("run", "emulator/echo", "--timeout", "1", "--json", env=emulator.environment())
    assert ended.code == 6 and ended.json["error"]["may_have_executed"] is True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_job_at_fal(emulator: Emulator, number: signal.Signals, code: int) -> None:
    process = start("run", "emulator/job", "ms=60000", "honour_cancel=true", "--json", env=emulator.environment())
    submitted(emulator)
    process.send_signal(number)
    ended = end(process)
    error = ended.json["error"]
    assert ended.code == code and (error["exit_code"], error["code"]) == (code, "FAL_E_CANCELLED")
    assert cancellations(emulator) == [202]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_a_submission_cancels_the_job(emulator: Emulator, number: signal.Signals, code: int) -> None:
    emulator.fault({"type": "none"}, method="POST", path="/emulator/job", delay_ms=1_500)
    process = start("submit", "emulator/job", "ms=60000", "honour_cancel=true", env=emulator.environment())
    assert emulator.arrivals(method="POST", host="queue.fal.run", wait_for=1)
    process.send_signal(number)
    assert end(process).code == code
    assert cancellations(emulator) == [202]


def test_a_job_is_submitted_watched_read_and_cancelled(emulator: Emulator, tmp_path: Path) -> None:
    environment = emulator.environment()
    submitted = fal("submit", "emulator/job", "ms=0", 'output={"a": 1}', 'logs=["one"]', "--priority", "low", env=environment)
    job = submitted.out.strip()
    assert submitted.code == 0 and submitted.out == f"{job}\n"
    assert fal("result", "emulator/job", job, "--json", env=environment).json == {"a": 1}
    state = fal("status", "emulator/job", job, "--logs", env=environment)
    assert state.code == 0 and state.out.splitlines()[0] == "COMPLETED" and "log: one" in state.out
    assert fal("status", "emulator/job", job, "--json", env=environment).json["status"] == "COMPLETED"
    assert fal("cancel", "emulator/job", job, env=environment).code == 4
    running = fal("submit", "emulator/job", "ms=60000", "honour_cancel=true", "--json", env=environment).json["request_id"]
    assert fal("status", "emulator/job", running, env=environment).out.startswith("IN_")
    assert fal("cancel", "emulator/job", running, env=environment).code == 0
    assert fal("result", "emulator/job", running, env=environment).code not in (0, 2)
    assert fal("status", "emulator/job", "../../x", env=environment).code in (2, 4)


def test_an_interrupted_wait_leaves_the_job_alone(emulator: Emulator) -> None:
    job = fal("submit", "emulator/job", "ms=60000", "honour_cancel=true", env=emulator.environment()).out.strip()
    process = start("result", "emulator/job", job, env=emulator.environment())
    assert emulator.arrivals(method="GET", host="queue.fal.run", wait_for=1)
    process.send_signal(signal.SIGINT)
    assert end(process).code == 130
    assert cancellations(emulator) == []
    assert fal("cancel", "emulator/job", job, env=emulator.environment()).code == 0


def test_log_lines_are_shown_when_they_are_asked_for(emulator: Emulator) -> None:
    line = "loading\x1b[2J \u009b31m\u202e"
    words = "run", "emulator/job", "ms=100", f"logs={json.dumps([line, 'two'])}"
    assert fal(*words, env=emulator.environment()).err == ""
    shown = fal(*words, "--logs", env=emulator.environment())
    # A text from elsewhere does not control the terminal.
    assert shown.err.splitlines() == ["log: loading\\u001b[2J \\u009b31m\\u202e", "log: two"]


def test_progress_is_shown_on_a_terminal(emulator: Emulator) -> None:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "run", "emulator/job", "ms=300", 'logs=["hello"]', "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, **emulator.environment(), "TERM": "xterm"},
    )
    os.close(terminal)
    shown = read(master)
    assert process.stdout
    with process:
        json.loads(process.stdout.read())
    assert process.returncode == 0 and "log: hello" in shown and "IN_PROGRESS" in shown and shown.endswith("\r")


def read(terminal: int) -> str:
    """Returns what is written to a terminal until its program ends."""
    parts = []
    while True:
        try:
            parts.append(os.read(terminal, 4096))
        except OSError:
            break
        if not parts[-1]:
            break
    os.close(terminal)
    return b"".join(parts).decode()
