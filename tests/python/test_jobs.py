"""Jobs: submitted, watched, waited for, cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import logs
import pytest
from conftest import Emulator, output, script

import libfal
from libfal import _calls
from libfal._base import FOREVER

LONG = {"ms": 600_000, "honour_cancel": True}


def async_client(emulator: Emulator) -> libfal.AsyncClient:
    return logs.async_client(emulator.api_key, emulator_host=emulator.address)


def ended(emulator: Emulator, path: str, wait_for: int = 1) -> list[str]:
    """Returns the methods of the requests to such a path, once that many have arrived."""
    return [arrival["method"] for arrival in emulator.arrivals(path=path, wait_for=wait_for)]


def test_a_job_is_submitted_once_and_its_result_is_plain(emulator: Emulator) -> None:
    told: list[Any] = []
    result = emulator.client().subscribe(
        "emulator/job",
        {"output": {"a": 1}, "logs": ["one", "two"], "ms": 300},
        with_logs=True,
        on_enqueue=told.append,
        on_queue_update=told.append,
    )
    assert result == {"a": 1}
    assert [arrival["method"] for arrival in emulator.arrivals(method="POST")] == ["POST"]
    request_id, *states = told
    assert request_id == emulator.arrivals(method="POST")[0]["request_id"]
    assert isinstance(states[0], libfal.Queued) and isinstance(states[-1], libfal.Completed)
    assert [line["message"] for line in states[-1].logs or []] == ["one", "two"]
    assert states[-1].metrics["inference_time"] > 0 and states[-1].error is None
    seen = [len(state.logs or []) for state in states if isinstance(state, libfal.InProgress)]
    assert seen == sorted(seen)
    assert all(one != other for one, other in zip(states, states[1:]))


class Collector(list[Any]):
    """A function that is false while it has collected nothing."""

    def __call__(self, *facts: Any) -> None:
        self.append(facts)


def test_a_function_that_is_false_is_called(emulator: Emulator) -> None:
    enqueued, updates, transferred = Collector(), Collector(), Collector()
    options: dict[str, Any] = {"on_enqueue": enqueued, "on_queue_update": updates, "on_progress": transferred}
    for name, collector in options.items():
        emulator.client().subscribe("emulator/job", {"a": b"content"}, **{name: collector})
        assert collector, name
    asyncio.run(async_client(emulator).subscribe("emulator/job", {}, on_enqueue=enqueued))
    assert len(enqueued) == 2


def test_without_logs_there_are_none(emulator: Emulator) -> None:
    states: list[libfal.Status] = []
    emulator.client().subscribe("emulator/job", {"logs": ["one"]}, on_queue_update=states.append)
    assert isinstance(states[-1], libfal.Completed) and states[-1].logs is None


def test_a_handle_asks_waits_and_cancels(emulator: Emulator) -> None:
    client = emulator.client()
    handle = client.submit("emulator/job", {"ms": 200, "logs": ["one"], "output": {"a": 1}}, path="/")
    assert repr(handle) == f"SyncRequestHandle(request_id='{handle.request_id}')"
    base = f"https://queue.fal.run/emulator/job/requests/{handle.request_id}"
    assert (handle.response_url, handle.status_url, handle.cancel_url) == (base, f"{base}/status", f"{base}/cancel")
    twin = client.get_handle("emulator/job", handle.request_id)
    assert twin == handle and hash(twin) == hash(handle)
    assert twin == libfal.SyncRequestHandle.from_request_id(client, "emulator/job", handle.request_id)
    assert libfal.SyncRequestHandle(handle.request_id, base, base, base, client).status() == handle.status()
    states = list(handle.iter_events(with_logs=True))
    assert isinstance(states[-1], libfal.Completed) and states[-1].logs and states[-1].logs[0]["message"] == "one"
    assert handle.get() == client.result("emulator/job", handle.request_id) == {"a": 1}
    state = handle.status(with_logs=True)
    assert isinstance(state, libfal.Completed) and state == client.status("emulator/job", handle.request_id, with_logs=True)
    for cancel in (handle.cancel, lambda: client.cancel("emulator/job", handle.request_id)):
        with pytest.raises(libfal.FalClientHTTPError) as caught:
            cancel()
        assert caught.value.status_code == 400 and caught.value.request_id == handle.request_id


def test_a_job_that_waits_is_cancelled(emulator: Emulator) -> None:
    client = emulator.client()
    handle = client.submit("emulator/job", LONG)
    handle.cancel()
    with pytest.raises(libfal.FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.status_code == 499
    assert isinstance(list(handle.iter_events())[-1], libfal.Completed)


def test_each_option_of_a_submission_arrives(emulator: Emulator) -> None:
    client = emulator.client()
    handle = client.submit(
        "emulator/job",
        {"n": 1},
        path="/sub",
        hint="this one",
        webhook_url="https://app.example/hook?a=1",
        priority="low",
        headers={"X-Mine": "yes"},
        start_timeout=30,
    )
    assert handle.request_id
    arrival = emulator.arrivals(method="POST")[0]
    assert arrival["path"] == "/emulator/job/sub" and arrival["body"] == {"n": 1}
    assert arrival["query"] == "fal_webhook=https%3A%2F%2Fapp.example%2Fhook%3Fa%3D1"
    headers = arrival["headers"]
    assert headers["x-fal-runner-hint"] == "this one" and headers["x-fal-queue-priority"] == "low"
    assert headers["x-mine"] == "yes" and headers["x-fal-request-timeout"] == "30"


def test_each_option_of_a_run_arrives(emulator: Emulator) -> None:
    client = emulator.client()
    result = client.run(
        "emulator/echo", {"n": 1}, method="put", path="sub/path", start_timeout=2.5, hint="this one", headers={"X-Mine": "yes"}
    )
    assert (result["method"], result["path"], result["body"]) == ("PUT", "/emulator/echo/sub/path", {"n": 1})
    assert client.run("emulator/echo", {"n": 1}, method="GET")["body"] is None
    put, get = emulator.arrivals()
    assert put["headers"]["x-fal-request-timeout"] == "2.5" and put["headers"]["x-fal-runner-hint"] == "this one"
    assert put["headers"]["x-mine"] == "yes" and get["body_length"] == 0


@pytest.mark.parametrize("name", ["on_enqueue", "on_queue_update", "on_progress"])
def test_a_function_that_cannot_be_called_sends_nothing(emulator: Emulator, name: str) -> None:
    wrong: Any
    for wrong in ("x", 3, 0):
        with pytest.raises(TypeError, match=f"{name} must be a callable, not (str|int)"):
            emulator.client().subscribe("emulator/job", {}, **{name: wrong})
        with pytest.raises(TypeError, match=f"{name} must be a callable, not (str|int)"):
            asyncio.run(async_client(emulator).subscribe("emulator/job", {}, **{name: wrong}))
    assert emulator.arrivals() == []


@pytest.mark.parametrize(
    "options", [{"priority": "high"}, {"start_timeout": 1}, {"start_timeout": 0.5}, {"webhook_url": "ftp://a"}, {"path": "../x"}]
)
def test_a_wrong_option_sends_nothing(emulator: Emulator, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        emulator.client().submit("emulator/job", {}, **options)
    assert emulator.arrivals() == []


@pytest.mark.parametrize("request_id", ["", ".", "..", "a\nb", "x" * 300])
def test_a_request_id_stays_in_its_segment(emulator: Emulator, request_id: str) -> None:
    handle = emulator.client().get_handle("emulator/job", request_id)
    for ask in (handle.status, handle.get, handle.cancel, lambda: list(handle.iter_events())):
        with pytest.raises(libfal.InvalidArgumentError):
            ask()
    assert emulator.arrivals() == []
    foreign = emulator.client().get_handle("emulator/job", "../../other?x=1#y")
    assert foreign.status_url.endswith("/requests/..%2F..%2Fother%3Fx%3D1%23y/status")
    with pytest.raises(libfal.NotFoundError):
        foreign.status()
    (arrival,) = emulator.arrivals()
    assert arrival["path"].startswith("/emulator/job/requests/..%2F..%2Fother")


def test_a_handle_needs_an_endpoint(emulator: Emulator) -> None:
    with pytest.raises(libfal.InvalidArgumentError, match="fal-ai/flux/dev"):
        emulator.client().get_handle("flux", "r-1")
    assert emulator.client().get_handle("110602490-lora", "r-1").response_url.endswith("/110602490/lora/requests/r-1")


def test_the_limit_of_the_whole_call_cancels_the_job(emulator: Emulator) -> None:
    enqueued: list[str] = []
    with pytest.raises(libfal.FalClientTimeoutError) as caught:
        emulator.client().subscribe("emulator/job", LONG, client_timeout=0.5, on_enqueue=enqueued.append)
    error = caught.value
    assert isinstance(error, TimeoutError) and error.timeout == 0.5
    assert [error.request_id] == enqueued
    assert ended(emulator, "*/cancel") == ["PUT"]
    # fal accepts no start timeout of a second or less, so none is sent.
    assert "x-fal-request-timeout" not in emulator.arrivals(method="POST")[0]["headers"]


def test_the_limit_of_the_whole_call_limits_the_start(emulator: Emulator) -> None:
    client = emulator.client()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.subscribe("emulator/job", {}, client_timeout=60)
        client.subscribe("emulator/job", {}, client_timeout=60, start_timeout=2)
    with pytest.warns(UserWarning, match="exceeds client_timeout") as caught:
        client.subscribe("emulator/job", {}, client_timeout=60, start_timeout=70)
    assert caught[0].filename == __file__
    limits = [arrival["headers"]["x-fal-request-timeout"] for arrival in emulator.arrivals(method="POST")]
    assert limits == ["60", "2", "70"]


def test_a_function_that_fails_cancels_the_job(emulator: Emulator) -> None:
    def fail(_status: libfal.Status) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        emulator.client().subscribe("emulator/job", LONG, on_queue_update=fail)
    assert ended(emulator, "*/cancel") == ["PUT"]


def test_leaving_the_states_of_a_handle_cancels_nothing(emulator: Emulator) -> None:
    handle = emulator.client().submit("emulator/job", LONG)
    for _ in handle.iter_events():
        break
    assert not isinstance(handle.status(), libfal.Completed)
    assert emulator.arrivals(path="*/cancel") == []
    handle.cancel()


@pytest.mark.parametrize("call", ['client.subscribe("emulator/job", LONG)', 'libfal.subscribe("emulator/job", LONG)'])
def test_ctrl_c_cancels_the_job_even_if_the_program_ends_then(emulator: Emulator, call: str) -> None:
    code = f"""
        import libfal, logs
        LONG = {{"ms": 600_000, "honour_cancel": True}}
        client = logs.client()
        {call}
    """
    with script(code, **emulator.environment()) as process:
        emulator.arrivals(path="*/status*", wait_for=1)
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in complaints
    assert ended(emulator, "*/cancel") == ["PUT"]


@pytest.mark.parametrize(
    "call",
    [
        'client.subscribe("emulator/job", LONG, client_timeout=0.5)',
        'asyncio.run(twin.subscribe("emulator/job", LONG, client_timeout=0.5))',
        'client.subscribe_start("emulator/job", LONG, client_timeout=0.5).result()',
        'client.subscribe_start("emulator/job", LONG, client_timeout=0.5).wait()',
        "operation.cancel()",
    ],
)
def test_the_end_of_the_program_waits_for_the_cancellation_of_a_job(emulator: Emulator, call: str) -> None:
    """The first request for it fails."""
    emulator.fault({"type": "status", "status": 503}, method="PUT", path="*/cancel", times=1)
    code = f"""
        import asyncio, time, libfal, logs
        LONG = {{"ms": 600_000, "honour_cancel": True}}
        client, twin = logs.client(), logs.async_client()
        if "operation" in {call!r}:
            operation = client.subscribe_start("emulator/job", LONG)
            while not operation.updates():
                time.sleep(0.01)
        {call}
    """
    with script(code, **emulator.environment()) as process:
        process.communicate(timeout=30)
    assert ended(emulator, "*/cancel") == ["PUT", "PUT"]


@pytest.mark.parametrize(
    ("call", "ending"),
    [
        ('client.submit("emulator/job", LONG)', "KeyboardInterrupt"),
        ('client.with_raw_response.submit("emulator/job", LONG)', "KeyboardInterrupt"),
        ('asyncio.run(logs.async_client().submit("emulator/job", LONG))', "KeyboardInterrupt"),
        ('logs.client(default_timeout=0.5).submit("emulator/job", LONG)', "FalClientTimeoutError"),
        ('asyncio.run(logs.async_client(default_timeout=0.5).submit("emulator/job", LONG))', "FalClientTimeoutError"),
    ],
)
def test_a_submission_that_ends_early_with_the_program_cancels_the_job(emulator: Emulator, call: str, ending: str) -> None:
    """fal answers when the program is about to end."""
    emulator.fault({"type": "none"}, method="POST", path="/emulator/job", delay_ms=1_500)
    code = f"""
        import asyncio, logs
        LONG = {{"ms": 600_000, "honour_cancel": True}}
        client = logs.client()
        {call}
    """
    with script(code, **emulator.environment()) as process:
        emulator.arrivals(method="POST", wait_for=1)
        if ending == "KeyboardInterrupt":
            process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert ending in complaints
    assert ended(emulator, "*/cancel") == ["PUT"]


def test_ctrl_c_in_a_wait_of_a_handle_leaves_the_job_alone(emulator: Emulator) -> None:
    code = """
        import libfal, logs
        handle = logs.client().submit("emulator/job", {"ms": 600_000})
        try:
            handle.get()
        except KeyboardInterrupt:
            print(type(handle.status()).__name__)
    """
    with script(code, **emulator.environment()) as process:
        emulator.arrivals(path="*/status*", wait_for=1)
        process.send_signal(signal.SIGINT)
        printed, complaints = process.communicate(timeout=30)
    assert (printed, complaints) == ("InProgress\n", "")
    assert emulator.arrivals(path="*/cancel") == []


STATES = [
    ({"status": "IN_QUEUE"}, libfal.Queued(None)),
    ({"status": "IN_QUEUE", "queue_position": 3}, libfal.Queued(3)),
    ({"status": "IN_PROGRESS"}, libfal.InProgress(None)),
    ({"status": "IN_PROGRESS", "logs": None}, libfal.InProgress(None)),
    ({"status": "IN_PROGRESS", "logs": [{"message": "a"}]}, libfal.InProgress([{"message": "a"}])),
    ({"status": "IN_PROGRESS", "logs": {"message": "a"}}, libfal.InProgress([{"message": "a"}])),
    ({"status": "COMPLETED"}, libfal.Completed(None, {})),
    (
        {"status": "COMPLETED", "logs": [], "metrics": {"inference_time": 1.5}, "error": "late", "error_type": "timeout"},
        libfal.Completed([], {"inference_time": 1.5}, "late", "timeout"),
    ),
    ({"status": "PAUSED"}, libfal.UnknownStatus("PAUSED")),
    ({"status": "paused", "logs": []}, libfal.UnknownStatus("paused", [])),
]


@pytest.mark.parametrize(("answer", "state"), STATES, ids=[str(state) for _, state in STATES])
def test_whatever_fal_says_about_a_job_is_a_state(emulator: Emulator, answer: dict[str, Any], state: libfal.Status) -> None:
    action = {"type": "status", "status": 202, "body": answer, "headers": {"content-type": "application/json"}}
    emulator.fault(action, path="*/status")
    assert emulator.client().status("emulator/job", "r-1", with_logs=True) == state


def test_a_failed_job_has_the_error_of_its_app(emulator: Emulator) -> None:
    states: list[libfal.Status] = []
    failing = {"fail": {"status": 422, "body": {"detail": [{"loc": ["body", "a"], "msg": "no", "type": "x"}]}}}
    with pytest.raises(libfal.InvalidInputError) as caught:
        emulator.client().subscribe("emulator/job", failing, on_queue_update=states.append)
    error = caught.value
    assert isinstance(error, libfal.FalClientHTTPError) and error.status_code == 422
    assert error.request_id and error.response and error.response.json()["detail"][0]["loc"] == ["body", "a"]
    assert error.response_headers["X-Fal-Request-Id"]
    assert isinstance(states[-1], libfal.Completed)


def test_urls_of_another_host_are_shown_and_not_followed(emulator: Emulator) -> None:
    foreign = "https://evil.example/x"
    body = {"request_id": "r-1", "status_url": foreign, "response_url": foreign, "cancel_url": foreign}
    action = {"type": "status", "status": 200, "body": body, "headers": {"content-type": "application/json"}}
    emulator.fault(action, method="POST")
    handle = emulator.client().submit("emulator/job", {})
    assert handle.status_url == foreign
    for ask in (handle.status, handle.get, handle.cancel):
        with pytest.raises(libfal.NotFoundError):
            ask()
    assert {arrival["host"] for arrival in emulator.arrivals()} == {"queue.fal.run"}


def test_a_lost_submission_is_not_repeated(emulator: Emulator) -> None:
    emulator.fault({"type": "reset", "when": "after_body"}, method="POST")
    with pytest.raises(libfal.TransportError) as caught:
        emulator.client().submit("emulator/job", {})
    assert caught.value.may_have_executed
    assert ended(emulator, "/emulator/job") == ["POST"]


def test_an_operation_of_a_job_is_polled(emulator: Emulator) -> None:
    operation = emulator.client().subscribe_start("emulator/job", {"ms": 100, "logs": ["one"]}, with_logs=True)
    states: list[libfal.Status] = []
    end = time.monotonic() + 30
    while not operation.done() and time.monotonic() < end:
        states += operation.updates()
        time.sleep(0.01)
    states += operation.updates()
    assert isinstance(operation.result(), dict)
    assert isinstance(states[0], libfal.Queued) and isinstance(states[-1], libfal.Completed)


def test_a_stream_yields_its_items(emulator: Emulator) -> None:
    client = emulator.client()
    events = [{"a": 1}, [2], "text", None, 3.5]
    assert list(client.stream("emulator/stream", {"events": events})) == events
    odd = {"events": ["hello", {"a": 1}, "[DONE]"], "text": True, "comments": True}
    assert list(client.stream("emulator/stream", odd)) == ["hello", {"a": 1}]
    numbers: list[Any] = ['{"a": NaN, "b": 1e400}', "[-Infinity]", "NaN", "{no json"]
    found: list[Any] = list(client.stream("emulator/stream", {"events": numbers, "text": True}))
    assert repr(found) == "[{'a': nan, 'b': inf}, [-inf], 'NaN', '{no json']"
    quoted: list[Any] = list(client.stream("emulator/stream", {"events": ["[DONE]"]}))
    assert quoted == ["[DONE]"]
    assert b"".join(client.stream("emulator/stream", {"events": ["ab", "cd"], "not_sse": True, "text": True})) == b"abcd"  # type: ignore[arg-type]
    assert list(client.stream("emulator/echo", {"n": 1}, path="", headers={"X-Mine": "yes"}))[0]["body"] == {"n": 1}


def test_a_stream_that_fails_has_its_status(emulator: Emulator) -> None:
    client = emulator.client()
    with pytest.raises(libfal.FalClientHTTPError) as caught:
        list(client.stream("emulator/stream", {"status": 422}))
    assert caught.value.status_code == 422
    got: list[Any] = []
    with pytest.raises(libfal.TransportError):
        for item in client.stream("emulator/stream", {"events": [1, 2, {"a": "b" * 100}], "cut": True}):
            got.append(item)
    assert got[:2] == [1, 2]


def test_nothing_is_sent_before_the_first_item_and_leaving_a_stream_ends_it(emulator: Emulator) -> None:
    items: Any = emulator.client().stream("emulator/stream", {"events": [1, 2, 3], "ms": 200})
    assert emulator.arrivals() == []
    for item in items:
        assert item == 1
        break
    items.close()
    end = time.monotonic() + 10
    while emulator.arrivals()[0]["outcome"] == "pending" and time.monotonic() < end:
        time.sleep(0.005)
    assert emulator.arrivals()[0]["outcome"] == "client_closed"


def test_the_limit_of_a_stream_is_between_two_items(emulator: Emulator) -> None:
    client = emulator.client()
    inputs = {"events": list(range(8)), "ms": 100}
    assert len(list(client.stream("emulator/stream", inputs, timeout=20))) == 8
    with pytest.raises(libfal.FalClientTimeoutError) as caught:
        list(client.stream("emulator/stream", {"events": [1, 2], "ms": 60_000}, timeout=0.2))
    assert caught.value.timeout == 0.2
    assert (caught.value.code, caught.value.may_have_executed) == ("FAL_E_DEADLINE", True)
    assert "0.2 s" in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_limit_between_two_items_is_a_time(emulator: Emulator, timeout: float) -> None:
    with pytest.raises(libfal.InvalidArgumentError, match="timeout"):
        next(emulator.client().stream("emulator/stream", {}, timeout=timeout))
    assert emulator.arrivals() == []


def test_a_download_returns_the_path_of_its_file(emulator: Emulator, tmp_path: Path) -> None:
    client = emulator.client()
    url = client.upload(b"abc", "text/plain", "a.txt")
    assert client.download(url) == b"abc"
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/in\xff"))
    folder.mkdir()
    for target in (tmp_path / "named", str(folder / "named"), folder):
        path = client.download(url, target)
        assert isinstance(path, Path) and path.read_bytes() == b"abc" and (path == Path(target) or path.parent == folder)
    with pytest.raises(libfal.FalClientError):
        client.download(url, tmp_path / "named")
    client.download(url, tmp_path / "named", overwrite=True)
    with pytest.raises(libfal.ResponseTooLargeError):
        client.download(url, max_bytes=2)
    assert not any(arrival["had_key"] for arrival in emulator.arrivals(host="v3b.fal.media", method="GET"))


def test_uploads_have_progress_and_a_missing_file_is_one(emulator: Emulator, tmp_path: Path) -> None:
    client = emulator.client()
    told: list[tuple[int, int | None]] = []
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * 3_000_000)
    url = client.upload_file(path, on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3_000_000, 3_000_000) and client.download(url) == path.read_bytes()
    told.clear()
    result = client.run("emulator/echo", {"file": path}, on_progress=lambda done, total: told.append((done, total)))
    assert result["body"]["file"].startswith("https://") and told[-1] == (3_000_000, 3_000_000)
    with pytest.raises(FileNotFoundError):
        client.upload_file(tmp_path / "none")


def test_what_uploads_files_has_no_limit_but_the_one_that_is_set(emulator: Emulator) -> None:
    given: list[dict[str, Any]] = [{}, *({"default_timeout": limit} for limit in (5, None, 120, 120.0))]
    for options in given:
        client = emulator.client(**options)
        limit, expected = client.default_timeout, options.get("default_timeout")
        calls: list[Any] = [
            *_calls.uploads(client, [{"data": b"x"}], None, False),
            _calls.submit(client, "emulator/job", {"a": b"x"}, lambda *_: None),
        ]
        assert [call.limit for call in calls] == [expected, expected]
        request: Any = calls[1].arguments[0]
        assert request["timeout"] == calls[0].arguments[1] == (FOREVER if expected is None else expected)
        assert _calls.submit(client, "emulator/job", {"a": "x"}, lambda *_: None).limit == limit


def test_an_application_may_have_slashes_around_it(emulator: Emulator) -> None:
    handle = emulator.client().submit("/emulator/job/", {"output": {"a": 1}})
    assert handle.response_url == f"https://queue.fal.run/emulator/job/requests/{handle.request_id}"
    twin = emulator.client().get_handle("/emulator/job/", handle.request_id)
    assert twin.response_url == handle.response_url and twin.get() == {"a": 1}


def test_an_app_passes_two_headers_on_and_a_token_back(emulator: Emulator) -> None:
    code = """
        import json, types, libfal, logs
        request = types.SimpleNamespace(headers={"x-fal-cdn-token": "fake-token-1", "x-app-fal-can-disable-filter": "1", "x-else": "2"})
        libfal.set_get_current_app(lambda: types.SimpleNamespace(current_request=request))
        client = logs.client()
        sent = client.run("emulator/echo", {})["headers"]
        print(sent["x-app-fal-can-disable-filter"], "x-fal-cdn-token" in sent, "x-else" in sent)
        print(client.submit("emulator/job", {}).request_id != "", client.subscribe("emulator/job", {}) is not None)
        list(client.stream("emulator/stream", {"events": [1]}))
        client.run("emulator/fail", {"status": 200, "body": {}, "headers": {"x-fal-cdn-token": "fake-token-2"}})
        print(request.headers["x-fal-cdn-token"] in ("fake-token-1", "fake-token-2"))
        libfal.set_get_current_app(lambda: None)
        print("x-app-fal-can-disable-filter" in client.run("emulator/echo", {})["headers"])
    """
    assert output(code, **emulator.environment()) == "1 True False\nTrue True\nTrue\nFalse\n"
