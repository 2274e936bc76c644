"""What programs rely on: every function of fal_client with every keyword, sync and async.

The tests run twice, with fal_client and with libfal under its name (the folder `named` in PYTHONPATH), against the emulator over TLS:

    fal-emulator exec --tls -- python -m pytest test_api.py
"""

from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
import uuid
import warnings
from types import SimpleNamespace

import fal_client
import pytest
from facades import CLIENTS, FACADES, LOOP, Facade
from PIL import Image

ECHO = "emulator/echo"
JOB = "emulator/job"
WORK = {"ms": 1, "logs": ["loading", {"message": "odd", "level": "WARN"}], "output": {"answer": 42, "list": [1.5, None, "zwölf"]}}
ENDLESS = {"ms": 3_600_000, "honour_cancel": True}
ROUTE = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{os.environ['HTTPS_PROXY']}/_emulator/{path}", data, method=method)
    with ROUTE.open(request, timeout=30) as answer:
        return json.loads(answer.read() or "null")


def arrivals(**filters):
    return control("GET", f"requests?{urllib.parse.urlencode(filters)}")["requests"]


def arrival(**filters):
    (found,) = arrivals(**filters)
    return found


def stored(url):
    """Returns the file as the emulator keeps it."""
    (found,) = (file for file in control("GET", "files")["files"] if file["url"] == url)
    return SimpleNamespace(**found)


@pytest.fixture(autouse=True)
def emulator():
    for what in ("requests", "faults"):
        control("DELETE", what)
    control("PUT", "settings", {})


@pytest.fixture(params=FACADES)
def fal(request):
    return Facade(request.param)


def both(fal, called):
    """Returns a callback that the kind of client takes: an async one for an async client, too."""
    if not fal.is_async:
        return called

    async def later(argument):
        called(argument)

    return later


# ---- run


def test_run_returns_the_output(fal):
    output = fal.run(ECHO, {"word": "zwölf", "number": 1.5, "nothing": None, "list": [1, [2]]})
    assert type(output) is dict
    assert output["body"] == {"word": "zwölf", "number": 1.5, "nothing": None, "list": [1, [2]]}
    assert output["method"] == "POST"
    assert json.loads(json.dumps(output)) == output


def test_run_takes_arguments_by_name(fal):
    assert fal.run(application=ECHO, arguments={"a": 1})["body"] == {"a": 1}


def test_run_has_a_path(fal):
    assert fal.run(ECHO, {}, path="/deeper/down")["path"].endswith("/deeper/down")
    assert fal.run(ECHO, {}, path="deeper")["path"].endswith("/echo/deeper")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_run_has_a_method(fal, method):
    output = fal.run(ECHO, {"a": 1}, method=method)
    assert (output["method"], output["body"]) == (method, {"a": 1})


def test_run_sends_no_body_with_get(fal):
    output = fal.run(ECHO, {"a": 1}, method="GET")
    assert (output["method"], output["body"]) == ("GET", None)


def test_run_sends_hint_start_timeout_and_headers(fal):
    headers = fal.run(ECHO, {}, hint="lora:a", start_timeout=30, headers={"X-Mine": "1"})["headers"]
    assert headers["x-fal-runner-hint"] == "lora:a"
    assert float(headers["x-fal-request-timeout"]) == 30
    assert headers["x-mine"] == "1"
    assert "x-fal-request-timeout" not in fal.run(ECHO, {})["headers"]


def test_run_has_a_timeout(fal):
    assert fal.run(ECHO, {"a": 1}, timeout=20.5)["body"] == {"a": 1}


def test_an_error_of_a_run_has_status_message_and_type(fal):
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        fal.run("emulator/fail", {"error_type": "startup_timeout"})
    error = caught.value
    assert isinstance(error, fal_client.FalClientError)
    assert error.status_code == 504
    assert error.error_type == "startup_timeout"
    assert error.response_headers["x-fal-error-type"] == "startup_timeout"
    assert error.response_headers["x-fal-request-id"]
    assert error.response.status_code == 504
    assert error.message and str(error)


def test_refused_fields_of_an_input_are_in_the_error(fal):
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        fal.run("emulator/fail/image_too_large", {})
    assert caught.value.status_code == 422
    (refused,) = caught.value.response.json()["detail"]
    assert refused["type"] == "image_too_large"
    assert "image_too_large" in str(caught.value.message)


def test_an_app_is_named_by_owner_and_name(fal):
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        fal.run("emulator/no-such-app", {})
    assert caught.value.status_code == 404


@pytest.mark.parametrize("seconds", [1, 0.5, -1])
def test_a_start_timeout_is_longer_than_a_second(fal, seconds):
    for call in (fal.run, fal.submit, fal.subscribe):
        with pytest.raises(ValueError):
            call(ECHO, {}, start_timeout=seconds)
    assert arrivals() == []


# ---- submit and handles


def test_submit_sends_all_options(fal):
    options = {"hint": "lora:a", "priority": "low", "start_timeout": 30.5, "headers": {"X-Mine": "1"}}
    handle = fal.submit(ECHO, {"a": 1}, path="/deeper", webhook_url="http://127.0.0.1:9/hook?a=b&c", **options)
    headers = handle.get()["headers"]
    assert headers["x-mine"] == "1"
    sent = arrival(method="POST", host="queue.fal.run")
    assert sent["path"] == "/emulator/echo/deeper"
    assert urllib.parse.parse_qs(sent["query"]) == {"fal_webhook": ["http://127.0.0.1:9/hook?a=b&c"]}
    assert sent["headers"]["x-fal-queue-priority"] == "low"
    assert sent["headers"]["x-fal-runner-hint"] == "lora:a"
    assert float(sent["headers"]["x-fal-request-timeout"]) == 30.5
    assert sent["body"] == {"a": 1}


def test_a_priority_is_one_of_two(fal):
    for call in (fal.submit, fal.subscribe):
        with pytest.raises(ValueError):
            call(ECHO, {}, priority="high")
        assert call(ECHO, {}, priority="normal")
    assert len(arrivals(method="POST")) == 2


def test_a_handle_names_its_job(fal):
    handle = fal.submit(JOB, WORK)
    kind = fal_client.AsyncRequestHandle if fal.is_async else fal_client.SyncRequestHandle
    assert type(handle.is_) is kind
    assert str(uuid.UUID(handle.request_id)) == handle.request_id
    place = f"https://queue.fal.run/emulator/job/requests/{handle.request_id}"
    assert (handle.response_url, handle.status_url, handle.cancel_url) == (place, f"{place}/status", f"{place}/cancel")
    assert handle.request_id in repr(handle.is_)
    assert handle.get() == WORK["output"]


def test_get_waits_and_can_be_called_again(fal):
    handle = fal.submit(JOB, {**WORK, "ms": 300})
    assert handle.get(interval=0.05) == WORK["output"]
    assert handle.get() == WORK["output"]


def test_the_events_of_a_handle_end_with_completed(fal):
    handle = fal.submit(JOB, {**WORK, "ms": 300, "startup_ms": 300})
    events = handle.iter_events(with_logs=True, interval=0.05)
    assert {type(event) for event in events} <= {fal_client.Queued, fal_client.InProgress, fal_client.Completed}
    assert all(isinstance(event, fal_client.Status) for event in events)
    assert [log["message"] for log in events[-1].logs] == ["loading", "odd"]
    assert events[-1].logs[1]["level"] == "WARN"
    assert isinstance(events[-1], fal_client.Completed)
    assert handle.get() == WORK["output"]


def test_events_without_logs_have_none(fal):
    last = fal.submit(JOB, WORK).iter_events()[-1]
    assert isinstance(last, fal_client.Completed)
    assert last.logs is None
    assert last.metrics["inference_time"] >= 0
    assert (last.error, last.error_type) == (None, None)


def test_the_status_of_a_handle(fal):
    handle = fal.submit(JOB, {**ENDLESS, "startup_ms": 3_600_000})
    first = handle.status()
    assert isinstance(first, fal_client.Queued)
    assert first.position == 0
    assert isinstance(handle.status(with_logs=True), fal_client.Queued)
    control("POST", "clock", {"advance_ms": 3_600_000})
    assert handle.status() == fal_client.InProgress(logs=None)
    assert isinstance(handle.status(with_logs=True).logs, list)
    handle.cancel()


def test_a_handle_cancels_its_job(fal):
    handle = fal.submit(JOB, ENDLESS)
    assert handle.cancel() is None
    assert arrival(method="PUT")["path"] == f"/emulator/job/requests/{handle.request_id}/cancel"


def test_a_failed_job_is_an_error(fal):
    handle = fal.submit(JOB, {"ms": 1, "fail": {"error_type": "runner_disconnected"}})
    last = handle.iter_events(with_logs=True)[-1]
    assert isinstance(last, fal_client.Completed)
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.error_type == "runner_disconnected"


@pytest.mark.parametrize("fal", CLIENTS, indirect=True)
def test_a_handle_is_made_of_an_id(fal):
    handle = fal.submit(JOB, WORK)
    again = fal.get_handle(JOB, handle.request_id)
    assert again.is_ == handle.is_
    assert again.get() == WORK["output"]


@pytest.mark.parametrize("fal", CLIENTS, indirect=True)
def test_handles_of_namespaces_and_paths(fal):
    def place(application):
        return fal.get_handle(application, "0").status_url

    assert place("emulator/job/deeper/down") == "https://queue.fal.run/emulator/job/requests/0/status"
    assert place("workflows/acme/flow/x") == "https://queue.fal.run/workflows/acme/flow/requests/0/status"
    assert place("comfy/acme/flow") == "https://queue.fal.run/comfy/acme/flow/requests/0/status"
    assert place("110602490-lora") == "https://queue.fal.run/110602490/lora/requests/0/status"
    with pytest.raises(ValueError):
        place("job")


# ---- status, result, cancel


def test_status_result_and_cancel_take_an_id(fal):
    name = fal.submit(JOB, WORK).request_id
    assert fal.result(JOB, name) == WORK["output"]
    assert fal.status(JOB, name).logs is None
    status = fal.status(application=JOB, request_id=name, with_logs=True)
    assert [log["message"] for log in status.logs] == ["loading", "odd"]
    running = fal.submit(JOB, ENDLESS).request_id
    assert fal.cancel(JOB, running) is None


def test_an_unknown_id_is_an_error(fal):
    for call in (fal.status, fal.result, fal.cancel):
        with pytest.raises(fal_client.FalClientHTTPError) as caught:
            call(JOB, str(uuid.uuid4()))
        assert caught.value.status_code == 404


# ---- subscribe


def test_subscribe_returns_the_result(fal):
    assert fal.subscribe(JOB, WORK) == WORK["output"]


def test_subscribe_sends_all_options(fal):
    options = {"hint": "lora:a", "priority": "low", "start_timeout": 30, "headers": {"X-Mine": "1"}, "interval": 0.05}
    output = fal.subscribe(ECHO, {"a": 1}, path="/deeper", client_timeout=50, **options)
    assert output["body"] == {"a": 1}
    sent = arrival(method="POST")
    assert sent["path"] == "/emulator/echo/deeper"
    assert sent["headers"]["x-fal-queue-priority"] == "low"
    assert sent["headers"]["x-fal-runner-hint"] == "lora:a"
    assert float(sent["headers"]["x-fal-request-timeout"]) == 30
    assert sent["headers"]["x-mine"] == "1"


def test_the_client_timeout_is_fals_too(fal):
    fal.subscribe(ECHO, {}, client_timeout=50)
    assert float(arrival(method="POST")["headers"]["x-fal-request-timeout"]) == 50


def test_a_start_timeout_beyond_the_client_timeout_is_warned_of(fal):
    with pytest.warns(UserWarning, match="start_timeout"):
        fal.subscribe(ECHO, {}, start_timeout=60, client_timeout=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fal.subscribe(ECHO, {}, start_timeout=50, client_timeout=60)


def test_subscribe_reports_the_id_and_each_status(fal):
    names, statuses = [], []
    output = fal.subscribe(
        JOB, {**WORK, "ms": 300}, with_logs=True, on_enqueue=both(fal, names.append), on_queue_update=both(fal, statuses.append)
    )
    assert output == WORK["output"]
    assert len(names) == 1 and uuid.UUID(names[0])
    assert isinstance(statuses[-1], fal_client.Completed)
    assert [log["message"] for log in statuses[-1].logs] == ["loading", "odd"]


def test_callbacks_may_be_plain_functions(fal):
    names, statuses = [], []
    fal.subscribe(JOB, WORK, on_enqueue=names.append, on_queue_update=statuses.append)
    assert len(names) == 1 and isinstance(statuses[-1], fal_client.Completed)
    assert statuses[-1].logs is None


def test_an_error_of_a_callback_arrives(fal):
    def refuse(_):
        raise LookupError("refused")

    with pytest.raises(LookupError, match="refused"):
        fal.subscribe(JOB, WORK, on_queue_update=both(fal, refuse))


def test_a_subscription_times_out_and_cancels(fal):
    # fal_client's thread polls until the job ends, which it does when it is cancelled.
    with pytest.raises(fal_client.FalClientTimeoutError) as caught:
        fal.subscribe(JOB, ENDLESS, client_timeout=1.1)
    error = caught.value
    assert isinstance(error, TimeoutError) and isinstance(error, fal_client.FalClientError)
    assert error.timeout == 1.1
    assert str(uuid.UUID(error.request_id)) in str(error)
    assert arrivals(method="PUT", path=f"*/{error.request_id}/cancel", wait_for=1, timeout_ms=30_000)


# ---- stream


def test_a_stream_gives_each_event(fal):
    events = [{"progress": 0.5}, {"text": "ünïcode"}, {"output": [1, None]}]
    assert fal.stream("emulator/stream", {"events": events}) == events
    assert arrival()["path"] == "/emulator/stream/stream"


def test_a_stream_has_path_timeout_and_headers(fal):
    assert fal.stream("emulator/stream", {"events": [{"a": 1}]}, path="", timeout=20, headers={"X-Mine": "1"}) == [{"a": 1}]
    sent = arrival()
    assert (sent["method"], sent["path"], sent["headers"]["x-mine"]) == ("POST", "/emulator/stream", "1")
    assert fal.stream("emulator/stream", {"events": [{"a": 1}]}, path="stream") == [{"a": 1}]


# ---- uploads


def test_bytes_and_text_are_uploaded(fal):
    url = fal.upload(b"ten bytes!", "text/plain", file_name="small.txt")
    file = stored(url)
    assert (file.size, file.content_type, file.file_name) == (10, "text/plain", "small.txt")
    assert stored(fal.upload("zwölf", content_type="text/plain", file_name=None)).size == 6


def test_a_file_is_uploaded(fal, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"12345")
    for given in (path, str(path)):
        file = stored(fal.upload_file(given))
        assert (file.size, file.content_type, file.file_name) == (5, "image/png", "picture.png")
    unknown = tmp_path / "unknown"
    unknown.write_bytes(b"1")
    assert stored(fal.upload_file(unknown)).content_type == "application/octet-stream"
    with pytest.raises(FileNotFoundError):
        fal.upload_file(tmp_path / "absent")


def test_an_image_is_uploaded(fal):
    image = Image.new("RGB", (8, 4), "red")
    assert stored(fal.upload_image(image)).content_type == "image/jpeg"
    assert stored(fal.upload_image(image, format="png")).content_type == "image/png"
    assert stored(fal.upload_image(image, "webp")).content_type == "image/webp"


@pytest.mark.parametrize("repository, host", [("fal_v3", ".fal.media"), ("fal", "storage.googleapis.com")])
def test_the_repository_is_chosen(fal, repository, host):
    url = fal.upload(b"1", "text/plain", "a.txt", repository=repository)
    assert stored(url).size == 1
    (sent,) = (sent for sent in arrivals() if sent["body_length"] == 1)
    assert sent["host"].endswith(host)


def test_cdn_is_an_old_name(fal):
    with pytest.warns(DeprecationWarning, match="cdn"):
        fal.upload(b"1", "text/plain", repository="cdn")


def test_an_unknown_repository_is_refused(fal):
    for options in ({"repository": "r2"}, {"fallback_repository": "r2"}, {"fallback_repository": ["fal", "r2"]}):
        with pytest.raises(ValueError, match="r2"):
            fal.upload(b"1", "text/plain", **options)
    assert arrivals() == []


def refuse_files(status):
    """Makes fal's own file hosts refuse every upload."""
    for host in ("v3.fal.media", "v3b.fal.media"):
        control("POST", "faults", {"host": host, "times": None, "action": {"type": "status", "status": status}})


@pytest.mark.parametrize("fallback", ["fal", ["fal"], None])
def test_another_repository_takes_what_one_refuses(fal, fallback):
    refuse_files(500)
    url = fal.upload(b"1", "text/plain", repository="fal_v3", fallback_repository=fallback)
    assert stored(url).size == 1
    assert arrival(host="storage.googleapis.com")["body_length"] == 1


def test_without_another_repository_the_error_arrives(fal):
    refuse_files(400)
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        fal.upload(b"1", "text/plain", repository="fal_v3", fallback_repository=[])
    assert caught.value.status_code == 400
    assert arrivals(host="storage.googleapis.com") == []


@pytest.mark.parametrize("repository", ["fal_v3", "fal"])
def test_the_life_of_a_file_is_sent(fal, repository, tmp_path):
    rules = [fal_client.StorageACLRule(user="fake|acme", decision="allow")]
    lifecycle = fal_client.StorageSettings(expires_in="1h", initial_acl=fal_client.StorageACL(default="forbid", rules=rules))
    path = tmp_path / "a.txt"
    path.write_bytes(b"1")
    options = {"repository": repository, "lifecycle": lifecycle}
    urls = [
        fal.upload(b"1", "text/plain", **options),
        fal.upload_file(path, **options),
        fal.upload_image(Image.new("RGB", (1, 1)), **options),
    ]
    for url in urls:
        file = stored(url)
        assert file.expires is not None
        assert file.acl["default"] == "forbid"
    said = [sent["headers"] for sent in arrivals(method="POST") if "x-fal-object-lifecycle-preference" in sent["headers"]]
    wanted = {
        "expiration_duration_seconds": 3600,
        "initial_acl": {"default": "forbid", "rules": [{"user": "fake|acme", "decision": "allow"}]},
    }
    assert [json.loads(headers["x-fal-object-lifecycle-preference"]) for headers in said] == [wanted] * 3


@pytest.mark.parametrize("given, seconds", [("immediate", 60), ("1d", 86400), ("7d", 604800), ("30d", 2592000), ("1y", 31536000), (90, 90)])
def test_a_life_is_given_in_seconds(fal, given, seconds):
    fal.upload(b"1", "text/plain", lifecycle=fal_client.StorageSettings(expires_in=given))
    (sent,) = (sent for sent in arrivals() if "x-fal-object-lifecycle-preference" in sent["headers"])
    assert json.loads(sent["headers"]["x-fal-object-lifecycle-preference"]) == {"expiration_duration_seconds": seconds}


@pytest.mark.parametrize("settings", [{}, {"expires_in": "never"}, {"initial_acl": "empty"}])
def test_an_empty_life_is_not_sent(fal, settings):
    if settings.get("initial_acl"):
        settings = {"initial_acl": fal_client.StorageACL(rules=[])}
    fal.upload(b"1", "text/plain", lifecycle=fal_client.StorageSettings(**settings))
    assert not any("lifecycle" in name for sent in arrivals() for name in sent["headers"])


# ---- realtime and WebSockets


def test_realtime_sends_and_receives(fal):
    with fal.realtime("emulator/realtime") as connection:
        kind = fal_client.AsyncRealtimeConnection if fal.is_async else fal_client.RealtimeConnection
        assert isinstance(connection.is_, kind)
        for number in range(3):
            connection.send({"n": number, "data": b"\0\xff"})
            output = connection.recv()
            assert (output["n"], output["data"]) == (number, b"\0\xff")
    (token, handshake) = arrivals()
    assert token["body"] == {"allowed_apps": ["realtime"], "token_expiration": 120}
    assert handshake["path"] == "/emulator/realtime/realtime"
    assert handshake["token"] and not handshake["had_key"]


def test_realtime_has_options(fal):
    packed = {
        "encode_message": lambda message: json.dumps(message).encode(),
        "decode_message": lambda message: {"length": len(message)},
    }
    with fal.realtime("emulator/realtime", path="/realtime", max_buffering=2, token_expiration=30, **packed) as connection:
        connection.send({"n": 1})
        with pytest.raises(fal_client_realtime_error()):
            # The bytes that were sent are no MessagePack.
            connection.recv()
    (token, handshake) = arrivals()
    assert token["body"]["token_expiration"] == 30
    assert "max_buffering=2" in handshake["query"]


def fal_client_realtime_error():
    return getattr(fal_client, "RealtimeError", None) or fal_client.client.RealtimeError


def test_a_decoder_gets_the_bytes(fal):
    with fal.realtime("emulator/realtime", decode_message=lambda message: {"type": type(message)}) as connection:
        connection.send({"n": 1})
        assert connection.recv() == {"type": bytes}


def test_realtime_with_the_key_needs_no_token(fal):
    with fal.realtime("emulator/realtime", use_jwt=False) as connection:
        connection.send({"n": 1})
        assert connection.recv()["n"] == 1
    handshake = arrival()
    assert handshake["had_key"] and not handshake["token"]


@pytest.mark.parametrize("number", [0, 61])
def test_max_buffering_has_limits(fal, number):
    for open_socket in (fal.realtime, fal.ws_connect):
        with pytest.raises(ValueError, match="max_buffering"):
            with open_socket("emulator/realtime", max_buffering=number):
                pass


def test_an_error_of_a_session_arrives(fal):
    with fal.realtime("emulator/realtime") as connection:
        connection.send({"emulator": {"outputs": 0, "error": "BROKEN", "reason": "it broke"}})
        with pytest.raises(fal_client_realtime_error()) as caught:
            connection.recv()
    assert (caught.value.error, caught.value.reason) == ("BROKEN", "it broke")
    assert isinstance(caught.value, RuntimeError)


def test_a_session_that_ends_gives_none(fal):
    with fal.realtime("emulator/realtime") as connection:
        connection.send({"emulator": {"outputs": 0, "close": 1000}})
        assert connection.recv() is None
        connection.close()


def test_a_lost_session_is_an_error(fal):
    with fal.realtime("emulator/realtime") as connection:
        connection.send({"emulator": {"outputs": 0, "drop": True}})
        with pytest.raises(fal_client_realtime_error()):
            connection.recv()


@pytest.mark.parametrize("message", ["zwölf", b"\0\1"])
def test_a_websocket_sends_and_receives(fal, message):
    with fal.ws_connect("emulator/ws") as socket:
        socket.send(message)
        assert socket.recv() == message
    (token, handshake) = arrivals()
    assert token["body"] == {"allowed_apps": ["ws"], "token_expiration": 120}
    assert handshake["path"] == "/emulator/ws"


def test_a_websocket_has_options(fal):
    with fal.ws_connect("emulator/realtime", path="/realtime", max_buffering=3, token_expiration=30) as socket:
        socket.send(b"no MessagePack")
        assert json.loads(socket.recv())["type"] == "x-fal-error"
    (token, handshake) = arrivals()
    assert token["body"]["token_expiration"] == 30
    assert (handshake["path"], "max_buffering=3" in handshake["query"]) == ("/emulator/realtime/realtime", True)
    control("DELETE", "requests")
    with fal.ws_connect("emulator/ws", use_jwt=False) as socket:
        socket.send("a")
        assert socket.recv() == "a"
    assert arrival()["had_key"]


# ---- what needs no client


def test_data_is_encoded(tmp_path):
    assert fal_client.encode(b"\0\1", "image/png") == "data:image/png;base64,AAE="
    assert fal_client.encode("zwölf", content_type="text/plain") == "data:text/plain;base64,enfDtmxm"
    path = tmp_path / "a.png"
    path.write_bytes(b"\0\1")
    assert fal_client.encode_file(path) == "data:image/png;base64,AAE="
    unknown = tmp_path / "a"
    unknown.write_bytes(b"")
    assert fal_client.encode_file(unknown) == "data:application/octet-stream;base64,"
    image = Image.new("RGB", (2, 2))
    assert fal_client.encode_image(image).startswith("data:image/jpeg;base64,/9j/")
    assert fal_client.encode_image(image, format="png").startswith("data:image/png;base64,iVBOR")


def test_statuses_are_values():
    queued, completed = fal_client.Queued(position=3), fal_client.Completed(logs=None, metrics={})
    assert queued == fal_client.Queued(3) != fal_client.Queued(4)
    assert repr(queued) == "Queued(position=3)"
    assert (completed.error, completed.error_type) == (None, None)
    assert fal_client.InProgress(logs=[{"message": "a"}]).logs == [{"message": "a"}]
    match queued:
        case fal_client.Queued(position):
            assert position == 3
    match completed:
        case fal_client.Completed(logs=logs, metrics=metrics):
            assert (logs, metrics) == (None, {})


@pytest.mark.parametrize("given", [0, -1, True, "2h"])
def test_a_life_is_checked(given):
    with pytest.raises(ValueError):
        fal_client.StorageSettings(expires_in=given)


def test_settings_are_values():
    rule = fal_client.StorageACLRule("fake|acme", "hide")
    assert (rule.user, rule.decision) == ("fake|acme", "hide")
    assert rule == fal_client.StorageACLRule(user="fake|acme", decision="hide")
    assert (fal_client.StorageACL().default, fal_client.StorageACL().rules) == (None, None)
    assert (fal_client.StorageSettings().expires_in, fal_client.StorageSettings().initial_acl) == (None, None)
    with pytest.raises(AttributeError):
        rule.user = "other"


def test_clients_are_values():
    for kind in (fal_client.SyncClient, fal_client.AsyncClient):
        client = kind(key="fake-id:fake-secret-of-a-value", default_timeout=60.0)
        assert client == kind("fake-id:fake-secret-of-a-value", 60.0) != kind()
        assert hash(client) == hash(kind("fake-id:fake-secret-of-a-value", 60.0))
        assert "fake-secret" not in repr(client)
        assert (client.default_timeout, kind().default_timeout) == (60.0, 120.0)


def test_the_functions_are_those_of_two_clients():
    assert isinstance(fal_client.sync_client, fal_client.SyncClient)
    assert isinstance(fal_client.async_client, fal_client.AsyncClient)
    assert fal_client.run == fal_client.sync_client.run
    assert fal_client.run_async == fal_client.async_client.run


def test_errors_are_values():
    error = fal_client.FalClientTimeoutError(timeout=1.5, request_id="7")
    assert (error.timeout, error.request_id) == (1.5, "7")
    assert fal_client.FalClientTimeoutError(1.5).request_id is None
    assert "1.5" in str(error) and "7" in str(error)


def test_a_missing_key_is_an_error_of_its_own(monkeypatch, tmp_path):
    monkeypatch.delenv("FAL_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FAL_HOME_DIR", str(tmp_path))
    missing = getattr(fal_client, "MissingCredentialsError", None) or fal_client.auth.MissingCredentialsError
    with pytest.raises(missing):
        fal_client.SyncClient().run(ECHO, {})
    with pytest.raises(missing):
        LOOP.run_until_complete(fal_client.AsyncClient().run(ECHO, {}))
    assert arrivals() == []


def test_a_program_inside_an_app_passes_its_headers_on(fal):
    request = SimpleNamespace(headers={"x-fal-cdn-token": "fake-cdn-token-1", "x-app-fal-can-disable-filter": "true", "x-other": "1"})
    fal_client.set_get_current_app(lambda: SimpleNamespace(current_request=request))
    try:
        headers = fal.run(ECHO, {})["headers"]
        fal.submit(ECHO, {})
        fal.stream("emulator/stream", {"events": []})
    finally:
        fal_client.set_get_current_app(lambda: None)
    assert headers["x-app-fal-can-disable-filter"] == "true"
    assert "x-other" not in headers
    assert all("x-fal-cdn-token" in sent["headers"] for sent in arrivals(method="POST"))
    assert "x-fal-cdn-token" not in fal.run(ECHO, {})["headers"]
