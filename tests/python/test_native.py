"""The operations and events of the native half, without the Python half."""

from __future__ import annotations

import gc
import json
import select
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import Emulator
from native import PATIENCE, code, core_of, events, given, outcome, request

from libfal import _libfal
from libfal._libfal import Answer, Core, Op

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def core(emulator: Emulator) -> Core:
    return core_of(emulator.client())


def kinds(op: Op) -> list[str]:
    return [event.kind() for event in events(op)]


def test_members_that_are_missing_or_none_leave_the_default(core: Core) -> None:
    assert outcome(core.run({"endpoint": "emulator/echo"}))["body"] == {}
    empty = dict.fromkeys(
        ["method", "path", "body", "headers", "timeout", "priority", "start_timeout", "hint", "webhook_url", "logs", "files"]
    )
    assert outcome(core.run({"endpoint": "emulator/echo", "keep_running": None, **empty}))["body"] == {}  # type: ignore[typeddict-item]


def test_a_member_that_is_misspelt_or_of_a_wrong_type_is_refused(core: Core, emulator: Emulator) -> None:
    for wrong in ({"end_point": "emulator/echo"}, {"endpoint": "emulator/echo", "logz": True}, {"endpoint": None}, None):
        with pytest.raises(TypeError):
            core.run(wrong)  # type: ignore[arg-type]
    for member, value in (("body", "{}"), ("body", bytearray(b"{}")), ("files", ()), ("files", [("/a",)]), ("logs", 1)):
        with pytest.raises((TypeError, IndexError)):
            core.run({"endpoint": "emulator/echo", member: value})  # type: ignore[misc]
    assert emulator.arrivals() == []


def test_every_member_reaches_fal(core: Core, emulator: Emulator) -> None:
    parts = request(
        "emulator/echo",
        {"a": 1},
        path="/deeper",
        headers=json.dumps([["X-One", "1"], ["X-Two", "2"]]).encode(),
        priority="low",
        start_timeout=9.5,
        hint="warm",
    )
    outcome(core.submit(parts))
    (arrival,) = emulator.arrivals(method="POST")
    headers = {name.lower(): value for name, value in dict(arrival["headers"]).items()}
    assert arrival["path"].endswith("emulator/echo/deeper")
    named = ["x-one", "x-two", "x-fal-queue-priority", "x-fal-request-timeout", "x-fal-runner-hint"]
    assert [headers[name] for name in named] == ["1", "2", "low", "9.5", "warm"]
    assert code(core.submit(request("emulator/echo", priority="high"))) == "FAL_E_INVALID_ARGUMENT"
    assert code(core.submit(request("emulator/echo", start_timeout=0.5))) == "FAL_E_INVALID_ARGUMENT"
    assert code(core.submit(request("emulator/echo", webhook_url="ftp://here"))) == "FAL_E_INVALID_ARGUMENT"


def test_run_wait_gives_the_outcome_or_the_operation(core: Core) -> None:
    ended = given(core.run_wait(request("emulator/echo", {"n": 1}), PATIENCE))
    assert isinstance(ended, Answer)
    assert ended.json()["body"] == {"n": 1}
    running = given(core.run_wait(request("emulator/slow", {"ms": 60_000}), 0.0))
    assert isinstance(running, Op)
    assert running.finish(0.01) is None
    running.cancel()
    assert code(running.finish(PATIENCE)) == "FAL_E_CANCELLED"
    assert code(core.run_wait(request("emulator/fail", {"status": 418}), PATIENCE)) == "FAL_E_INVALID_INPUT"


def test_a_plain_run_gives_the_output_and_refuses_what_python_converts(core: Core, emulator: Emulator) -> None:
    def run(endpoint: object, input: object, seconds: float = PATIENCE) -> Any:
        return core.run_plain(endpoint, input, PATIENCE, seconds)

    assert run("emulator/echo", {"a": [1, 2.5, None, True, "ä"]})["body"] == {"a": [1, 2.5, None, True, "ä"]}
    bytes = run("emulator/bytes", {"size": 3})
    assert type(bytes) is Answer and bytes.body() == b"\0\1\2"
    assert code(run("emulator/fail", {"status": 418})) == "FAL_E_INVALID_INPUT"
    assert code(run("no endpoint", {})) == "FAL_E_INVALID_ARGUMENT"
    assert code(core.run_plain("emulator/echo", {}, -1.0, PATIENCE)) == "FAL_E_INVALID_ARGUMENT"
    before = len(emulator.arrivals())

    class Text(str):
        pass

    refused: list[tuple[object, object]] = [
        *((endpoint, {}) for endpoint in (None, b"emulator/echo", Text("emulator/echo"), "\ud800", "https://fal.run/emulator/echo")),
        *(("emulator/echo", input) for input in (None, ["a"], "{}", Counter("a"), {"a": b"a"}, {1: 1}, {"a": float("nan")}, {"a": 2**64})),
    ]
    assert [pair for pair in refused if run(*pair) is not NotImplemented] == []
    assert len(emulator.arrivals()) == before


def test_a_plain_run_that_goes_on_is_cancelled_when_nothing_knows_it(core: Core, emulator: Emulator) -> None:
    running = core.run_plain("emulator/slow", {"ms": 60_000}, PATIENCE, 0.0)
    assert type(running) is Op and not running.ended()
    while not emulator.arrivals():
        time.sleep(0.005)
    assert [arrival["outcome"] for arrival in emulator.arrivals()] == ["pending"]
    del running
    while emulator.arrivals()[0]["outcome"] == "pending":
        time.sleep(0.005)


def test_an_outcome_that_is_asked_for_too_early_is_not_remembered(core: Core) -> None:
    op = given(core.run(request("emulator/slow", {"ms": 50})))
    if not op.ended():
        assert code(op.outcome()) == "FAL_E_PANIC"
    assert outcome(op) == {"ms": 50}
    assert op.outcome().json() == {"ms": 50}


def test_a_job_is_submitted_asked_for_attached_to_and_cancelled(core: Core) -> None:
    submitted = outcome(core.submit(request("emulator/job", {"ms": 10, "logs": ["a", "b"], "output": {"x": 1}})))
    job = submitted["request_id"]
    attached = given(core.job("attach", "emulator/job", job, True, True, PATIENCE))
    assert attached.request_id() in (job, None)
    assert {"status", "log"} >= set(kinds(attached))
    assert outcome(attached) == {"x": 1}
    assert outcome(core.job("status", "emulator/job", job, True, False, None))["status"] == "COMPLETED"
    assert outcome(core.job("result", "emulator/job", job, False, False, PATIENCE)) == {"x": 1}
    endless = outcome(core.submit(request("emulator/job", {"ms": 600_000, "honour_cancel": True})))["request_id"]
    assert given(given(core.job("cancel", "emulator/job", endless, False, False, None)).finish(PATIENCE)).status() == 202
    assert code(core.job("cancel", "emulator/job", "", False, False, None)) == "FAL_E_INVALID_ARGUMENT"
    assert code(core.job("promote", "emulator/job", endless, False, False, None)) == "FAL_E_INVALID_ARGUMENT"  # type: ignore[arg-type]


def test_a_subscription_reports_the_status_and_the_log(core: Core) -> None:
    op = given(core.subscribe(request("emulator/job", {"ms": 300, "logs": ["a", "b"], "output": {"x": 1}}, logs=True)))
    seen = list(events(op))
    assert {"status", "log"} == {event.kind() for event in seen}
    assert [event.json()["message"] for event in seen if event.kind() == "log"] == ["a", "b"]
    assert op.request_id() == seen[0].json()["request_id"]
    assert outcome(op) == {"x": 1}
    assert op.dropped_events() == 0


def test_a_stream_delivers_json_text_and_bytes(core: Core) -> None:
    op = given(core.stream(request("emulator/stream", {"events": [{"n": 1}, {"n": 2}]})))
    items = list(events(op))
    assert [(item.kind(), item.is_bytes(), item.json()) for item in items] == [
        ("item", False, {"n": 1}),
        ("item", False, {"n": 2}),
    ]
    assert outcome(op) == {"n": 2}
    raw = given(core.stream(request("emulator/stream", {"events": ["ab"], "not_sse": True})))
    assert [(item.is_bytes(), item.body()) for item in events(raw)] == [(True, b"ab")]


def resident() -> int:
    """Returns the memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_a_slow_reader_holds_the_stream_up_and_memory_stays_small(core: Core) -> None:
    """Three streams of 60 MB. At most 16 MiB of each wait for the reader."""
    parts = request("emulator/bytes", {"size": 60_000_000, "chunked": True}, path="", timeout=120.0)
    before = resident()
    streams = [given(core.stream(parts)) for _ in range(3)]
    firsts = [given(stream.next(PATIENCE)).size() for stream in streams]
    for stream in streams:
        assert not stream.wait(0.3)
    assert resident() - before < 100_000_000
    assert firsts[0] + sum(item.size() for item in events(streams[0])) == 60_000_000
    for stream in streams:
        stream.cancel()
        assert given(stream.wait(PATIENCE))


def test_a_stream_without_a_reader_is_cancelled(core: Core, emulator: Emulator) -> None:
    op = given(core.stream(request("emulator/stream", {"events": [1] * 50, "ms": 60_000})))
    watcher = given(_libfal.watcher())
    watcher.watch(op, 1, True)
    del op
    wait_for(watcher, 1)


def wait_for(watcher: _libfal.Watcher, number: int) -> None:
    """Waits until this operation has news."""
    ready: list[int] = []
    while number not in ready:
        assert select.select([watcher.fileno()], [], [], PATIENCE)[0]
        ready += given(watcher.ready())


def test_files_of_an_input_are_uploaded_first(core: Core, emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    large = b"z" * 100_000
    files: list[tuple[str, _libfal._Upload]] = [
        ("/file", {"path": str(path)}),
        ("/list/1", {"data": large, "content_type": "image/png", "file_name": "p.png", "expires_in": "1h"}),
    ]
    op = given(core.run(request("emulator/echo", {"file": "", "list": [0, ""]}, files=files)))
    assert set(kinds(op)) <= {"progress"}
    body = outcome(op)["body"]
    assert body["file"].endswith(".txt")
    first = given(given(core.download({"url": body["list"][1]})).finish(PATIENCE))
    assert first.body() == large


def test_an_upload_and_a_download_report_progress(core: Core, emulator: Emulator, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    up = given(core.upload({"data": content, "content_type": "application/octet-stream", "file_name": "b.bin"}, PATIENCE))
    assert set(kinds(up)) == {"progress"}
    url = outcome(up)["url"]
    target = tmp_path / "b.bin"
    down = given(core.download({"url": url, "path": str(target), "timeout": PATIENCE}))
    assert {event.json()["transferred"] for event in events(down)} >= {len(content)}
    assert outcome(down)["size"] == len(content)
    assert target.read_bytes() == content
    assert code(given(core.download({"url": url, "path": str(target)})).finish(PATIENCE)) != ""
    again = given(core.download({"url": url, "path": str(target), "overwrite": True}))
    assert outcome(again)["path"] == str(target)
    assert code(given(core.download({"url": url, "max_bytes": 10})).finish(PATIENCE)) == "FAL_E_TOO_LARGE"
    for wrong in ({}, {"path": "a", "data": b"b"}, {"data": b"", "way": "carrier pigeon"}, {"data": b"", "access": "no"}):
        assert code(core.upload(wrong, None)) == "FAL_E_INVALID_ARGUMENT"  # type: ignore[arg-type]
    assert code(core.upload({"data": b"", "rules": b'[["a", "allow"]]'}, None)) == "FAL_E_INVALID_ARGUMENT"


def test_bytes_that_are_lent_come_back(core: Core) -> None:
    """The core drops a long body on a thread without the GIL; the next call releases it."""
    content = b"x" * 1_000_000
    before = sys.getrefcount(content)
    for _ in range(3):
        outcome(core.upload({"data": content, "file_name": "x.bin"}, PATIENCE))
    for _ in range(100):
        outcome(core.run(request("emulator/echo")))
        if sys.getrefcount(content) == before:
            return
    raise AssertionError("the core keeps the bytes")


def test_bytes_that_are_lent_come_back_to_a_program_that_only_runs(core: Core) -> None:
    content = b'"' + b"x" * 1_000_000 + b'"'
    parts: _libfal._Request = {"endpoint": "emulator/echo", "body": content}
    before = sys.getrefcount(content)
    kept = []
    for _ in range(20):
        assert isinstance(given(core.run_wait(parts, PATIENCE)), Answer)
        kept.append(sys.getrefcount(content) - before)
    # The core may drop the body of a run shortly after its end.
    assert max(kept) < 10, kept


def test_a_webhook_that_is_not_signed_is_invalid(core: Core) -> None:
    op = core.verify_webhook(json.dumps([["x-fal-webhook-request-id", "r"]]).encode(), b"{}")
    assert code(given(op).finish(PATIENCE)) == "FAL_E_WEBHOOK_INVALID"
    assert code(core.verify_webhook(b"[[1, 2]]", b"{}")) == "FAL_E_INVALID_ARGUMENT"


def test_a_realtime_session_sends_and_receives(core: Core) -> None:
    session = given(core.realtime(request("emulator/realtime", timeout=60.0), {"ping": 0.0, "queue_size": 8}))
    assert session.op() is session.op()
    assert session.send(b'{"n": 1}') is None
    assert code(session.send(b"{")) == "FAL_E_INVALID_ARGUMENT"
    # {"m": 1} as MessagePack, encoded by the program.
    assert session.send_bytes(b"\x81\xa1m\x01") is None
    stream = events(session.op())
    seen = [next(stream) for _ in range(3)]
    assert [event.kind() for event in seen] == ["connection", "message", "message"]
    assert [event.frame() is None for event in seen] == [True, False, False]
    assert b"\xa1m\x01" in (seen[2].frame() or b"")
    session.close()
    assert code(session.send(b'{"n": 2}')) == "FAL_E_CLOSED"
    assert outcome(session.op())["ended"] == "closed"
    assert session.unsent() == 0


def test_a_websocket_carries_texts_and_bytes(core: Core) -> None:
    socket = given(core.websocket(request("emulator/ws", timeout=60.0), {}))
    assert socket.send("hé".encode()) is None
    assert code(socket.send(b"\xff")) == "FAL_E_INVALID_ARGUMENT"
    assert socket.send_bytes(b"\xff" * 10_000) is None
    stream = (event for event in events(socket.op()) if event.kind() == "message")
    text, binary = next(stream), next(stream)
    assert (text.text(), text.is_bytes()) == ("hé", False)
    assert (binary.body(), binary.is_bytes()) == (b"\xff" * 10_000, True)


def test_a_session_that_is_deleted_ends(core: Core) -> None:
    session = given(core.websocket(request("emulator/ws", timeout=600.0), {}))
    session.send(b"a")
    watcher = given(_libfal.watcher())
    watcher.watch(session.op(), 7, False)
    del session
    wait_for(watcher, 7)


def test_a_channel_runs_many_requests_over_one_connection(core: Core) -> None:
    channel = given(core.channel(request("emulator/echo")))
    assert channel.set_ping(0.0) is None
    assert code(channel.set_ping(-1.0)) == "FAL_E_INVALID_ARGUMENT"
    ops = [given(channel.run(request("emulator/echo", {"n": n}))) for n in range(5)]
    assert [outcome(op)["body"]["n"] for op in ops] == list(range(5))
    assert code(channel.run(request("emulator/slow"))) == "FAL_E_INVALID_ARGUMENT"


def test_a_core_that_goes_with_an_exception_leaves_it_alone(emulator: Emulator) -> None:
    """To release its log function, it calls Python while the exception is on its way."""

    def fail() -> None:
        core = core_of(emulator.client())
        outcome(core.run(request("emulator/echo")))
        raise KeyError("mine")

    for _ in range(20):
        with pytest.raises(KeyError, match="mine"):
            fail()


def test_nothing_runs_the_collector(core: Core) -> None:
    """A collection below native code would run finalizers there: before 3.12 each new list or dict may start one."""
    watcher = given(_libfal.watcher())
    upload: _libfal._Upload = {"data": b"f"}
    parts = request("emulator/job", {"ms": 1, "logs": ["a"], "f": ""}, files=[("/f", upload)])
    echo: _libfal._Request = {"endpoint": "emulator/echo"}
    nothing: _libfal._SessionOptions = {}
    begun: list[str] = []
    calling, here = [""], threading.get_ident()

    def collecting(phase: str, _: object) -> None:
        # While a call waits, the log function runs in another thread.
        if threading.get_ident() == here:
            begun.append(calling[0])

    def call(name: str, function: Callable[..., Any], *parts: object) -> Any:
        # From here to the end of the call, nothing but native code creates objects.
        calling[0] = name
        made = function(*parts)
        calling[0] = ""
        return made

    before = gc.get_threshold()
    gc.callbacks.append(collecting)
    try:
        gc.set_threshold(1, 1, 1)
        ops: list[Op] = [
            call("run", core.run, echo),
            call("job", core.job, "status", "emulator/job", "1", True, False, None),
            call("subscribe", core.subscribe, parts),
            call("upload", core.upload, upload, None),
        ]
        session = call("realtime", core.realtime, {"endpoint": "emulator/realtime"}, nothing)
        call("channel", core.channel, echo)
        call("answer", call("run_wait", core.run_wait, echo, PATIENCE).json)
        call("run_plain", core.run_plain, "emulator/echo", {"a": "\ud800", "b": 2**70}, PATIENCE, PATIENCE)
        call("run_plain", core.run_plain, "emulator/echo", {"a": [1, 2]}, PATIENCE, PATIENCE)
        plain = call("started", watcher.run_plain, core, "emulator/echo", {"a": [1, 2]}, PATIENCE, 1)
        call("wait", plain.wait, PATIENCE)
        call("output", plain.output)
        for number, op in enumerate(ops):
            call("watch", watcher.watch, op, number, True)
        for op in ops:
            while not op.ended():
                call("ready", watcher.ready)
                call("next", op.next, 0.01)
            call("outcome", op.outcome)
            call("finish", op.finish, PATIENCE)
        call("failure", core.upload, {}, None)
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(collecting)
    session.op().cancel()
    assert given(session.op().wait(PATIENCE))
    assert begun
    # From 3.12 on, a collection that is due waits for the next line of Python.
    assert sys.version_info >= (3, 12) or set(begun) == {""}
