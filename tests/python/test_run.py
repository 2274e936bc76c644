"""Calls that succeed, and their responses."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import socket
import struct
import sys
import threading
import types
import zlib
from typing import Any

import logs
import pytest
from conftest import Emulator, output

import libfal


def png_size(data: bytes) -> tuple[int, int]:
    """Returns the width and height of a PNG. All chunks must be intact."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        assert zlib.crc32(kind + body) == checksum
        chunks[kind] = chunks.get(kind, b"") + body
        at += 12 + length
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) % height == 0
    return width, height


def test_a_picture_has_the_size_asked_for(emulator: Emulator) -> None:
    client = emulator.client()
    made = client.with_raw_response.run("fal-ai/flux/schnell", {"prompt": "größer", "image_size": {"width": 96, "height": 64}})
    assert made.status_code == 200
    assert made.request_id
    picture = client.request("GET", made.json()["images"][0]["url"])
    assert png_size(picture.content) == (96, 64)
    assert picture.headers["content-type"] == "image/png"
    assert {type(pair) for pair in picture._answer.headers()} == {list}
    # The file host must never receive the key.
    run, file = emulator.arrivals()
    assert (run["had_key"], file["had_key"]) == (True, False)
    assert run["request_id"] == made.request_id
    assert run["body"]["prompt"] == "größer"


def test_the_module_runs_with_the_client_of_the_environment(emulator: Emulator) -> None:
    code = """
        import libfal
        answer = libfal.run("emulator/echo", {"a": 1})
        print(answer["body"], answer["key_id"])
    """
    assert output(code, **emulator.environment()) == f"{{'a': 1}} {emulator.key_id}\n"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"none": None, "true": True, "int": 2**64 - 1, "float": 0.1, "text": "a\u0000ü😀\u2028", "list": [1, [2, {}]]},
        {1: "an int as a name, as json does it"},
        types.MappingProxyType({"a": 1}),
    ],
)
def test_inputs_arrive_as_json_says(emulator: Emulator, value: dict[str, object]) -> None:
    answer = emulator.client().run("emulator/echo", value)
    assert answer["body"] == json.loads(json.dumps(dict(value)))


def test_without_input_an_empty_object_is_sent(emulator: Emulator) -> None:
    assert emulator.client().run("emulator/echo", {})["body"] == {}
    assert emulator.client().run("emulator/echo", None)["body"] == {}


@pytest.mark.parametrize("content", [b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4], memoryview(b"aXbXc")[::2]])
def test_bytes_are_sent_as_they_are(emulator: Emulator, content: bytes) -> None:
    client = emulator.client()
    client.request("POST", "https://fal.run/emulator/echo", content=content, content_type="text/plain")
    client.request("POST", "https://fal.run/emulator/echo", content=content)
    typed, untyped = emulator.arrivals()
    assert typed["body"] == untyped["body"] == {"base64": "YWJj"}
    assert typed["headers"]["content-type"] == "text/plain"
    assert untyped["headers"]["content-type"] == "application/octet-stream"


def test_a_request_carries_json_headers_and_query(emulator: Emulator) -> None:
    url = "https://fal.run/emulator/echo/sub?a=1"
    answer = emulator.client(user_agent="Game/1").request("put", url, json=[1, None], headers={"X-Mine": "yes"})
    (arrival,) = emulator.arrivals()
    assert (arrival["method"], arrival["query"], arrival["body"]) == ("PUT", "a=1", [1, None])
    assert arrival["headers"]["x-mine"] == "yes"
    assert arrival["headers"]["user-agent"].endswith(" Game/1")
    assert answer.json()["path"] == "/emulator/echo/sub"


def test_a_request_has_one_body(emulator: Emulator) -> None:
    client = emulator.client()
    with pytest.raises(ValueError, match="not both"):
        client.request("POST", "https://fal.run/emulator/echo", json={}, content=b"")
    with pytest.raises(ValueError, match="content_type"):
        client.request("POST", "https://fal.run/emulator/echo", content_type="text/plain")
    for wrong in ("text", 3, [1, 2]):
        with pytest.raises(TypeError):
            client.request("POST", "https://fal.run/emulator/echo", content=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="authorization"):
        client.request("GET", "/v1/models", headers={"Authorization": "Key fake-id:fake-secret"})
    assert emulator.arrivals() == []


def test_results_are_plain_and_responses_have_everything(emulator: Emulator) -> None:
    client = emulator.client()
    result = client.run("emulator/echo", {"a": [1, 2]})
    assert type(result) is dict and json.loads(json.dumps(result)) == result and result["body"] == {"a": [1, 2]}
    answer = client.with_raw_response.run("emulator/echo", {"a": [1, 2]})
    assert answer.json().keys() == result.keys()
    assert answer.json() is answer.json()
    assert answer.content is answer.content
    assert answer.text.encode() == answer.content
    assert answer.headers["Content-Type"] == answer.headers["content-type"] == "application/json"
    assert "X-Fal-Request-Id" in answer.headers and answer.headers.get("x-none") is None
    with pytest.raises(AttributeError):
        answer.status_code = 201  # type: ignore[misc]


def test_outputs_that_are_not_json_say_so_and_are_not_lost(emulator: Emulator) -> None:
    inputs = {"size": 300, "content_type": "application/x-any"}
    answer = emulator.client().with_raw_response.run("emulator/bytes", inputs)
    assert answer.content == bytes(i % 251 for i in range(300))
    assert answer.headers["content-type"] == "application/x-any"
    for look in (lambda: answer.text, answer.json, lambda: emulator.client().run("emulator/bytes", inputs)):
        with pytest.raises(libfal.DecodeError) as caught:
            look()
        assert caught.value.code == "FAL_E_WRONG_TYPE"
        assert isinstance(caught.value, ValueError)
        assert "content type" in caught.value.remedy and "Pointer" not in caught.value.remedy
    assert caught.value.response and caught.value.response.content == answer.content
    assert caught.value.may_have_executed


OUTPUTS = ["null", "[1, [2]]", '"text"', "0.5", "NaN", '{"n": 123456789012345678901234567890}', '{"text": "\\ud83d"}', "{}"]


def test_an_output_is_any_json() -> None:
    def serve(listener: socket.socket) -> None:
        for body in OUTPUTS * 2:
            with listener.accept()[0] as connection:
                while not connection.recv(65536).endswith(b"{}"):
                    pass
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
                connection.sendall((head + body).encode())

    async def asynchronous(host: str) -> list[object]:
        client = logs.async_client("fake-id:fake-secret", emulator_host=host)
        return [await client.run("fal-ai/any", {}) for _ in OUTPUTS]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        client = logs.client(key="fake-id:fake-secret", emulator_host=host)
        got: list[object] = [client.run("fal-ai/any", {}) for _ in OUTPUTS] + asyncio.run(asynchronous(host))
        server.join()
    assert list(map(repr, got)) == [repr(json.loads(text)) for text in OUTPUTS * 2]


def test_a_plain_run_costs_few_calls(emulator: Emulator) -> None:
    """Each function of Python takes longer than what the core does in it. The time itself would differ from run to run."""
    code = """
        import asyncio, sys
        import logs

        def calls(run):
            seen = []
            def note(frame, event, what):
                if event == "call" and "libfal" in frame.f_code.co_filename:
                    seen.append(frame.f_code.co_name)
                elif event == "c_call" and type(getattr(what, "__self__", None)).__module__ == "libfal._libfal":
                    seen.append(what.__name__)
            sys.setprofile(note)
            run()
            sys.setprofile(None)
            return seen

        async def asynchronous():
            client = logs.async_client()
            await client.run("emulator/echo", {})
            run = client.run("emulator/echo", {"a": 1})
            print(*calls(lambda: run.send(None)))
            run.close()

        client = logs.client()
        client.run("emulator/echo", {})
        print(*calls(lambda: client.run("emulator/echo", {"a": 1})))
        asyncio.run(asynchronous())
    """
    expected = ["run run_plain run_plain", "run run_plain current run_plain ended"]
    assert output(code, **emulator.environment()).splitlines() == expected


class Once:
    """A number of seconds that is read once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = [seconds]

    def __float__(self) -> float:
        return self._seconds.pop()


@pytest.mark.parametrize("kind", ["synchronous", "asynchronous"])
def test_a_failed_run_reads_its_time_limit_no_second_time(emulator: Emulator, kind: str) -> None:
    client, twin = emulator.client(), logs.async_client(emulator.api_key, emulator_host=emulator.address)

    def run(*arguments: Any, **options: Any) -> object:
        return client.run(*arguments, **options) if kind == "synchronous" else asyncio.run(twin.run(*arguments, **options))

    for _ in range(2):
        # The first run makes the core of a client.
        assert run("emulator/echo", {}, timeout=Once(60.0))
    with pytest.raises(libfal.NotFoundError):
        run("nobody/nothing", {}, timeout=Once(60.0))
    with pytest.raises(libfal.FalClientTimeoutError) as caught:
        run("emulator/slow", {"ms": 60_000}, timeout=Once(0.1))
    assert caught.value.timeout == 0.1


JSON = [
    *("null", "true", "false", '""', "[]", "{}", " [1 , 2.5, -3 ]\n", '{"a": {"b": [null, {}]}}', '{"a": 1, "b": 2, "a": 3}'),
    *("0", "-0", "-0.0", "0.0", "1.0", "1e2", "-1e-7", "0.1", "5e-324", "1.7976931348623157e308", "1e400", "-1e400", "1e19", "1E18"),
    *("9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "18446744073709551616"),
    *("123456789012345678901234567890", "-123456789012345678901234567890", "NaN", "[Infinity, -Infinity]"),
    *(r'"\u00e4\n\/"', r'"\ud83d\ude00"', r'"\ud83d"', '"\u00e4\U0001f600"', '{"": 0}', "[" * 200 + "]" * 200),
]


@pytest.mark.parametrize("text", JSON)
def test_json_is_what_pythons_own_decoder_makes_of_it(text: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32-le"):
        content = text.encode(encoding)
        expected = json.loads(content)
        got = libfal.Response(200, {}, content).json()
        assert (repr(got), type(got)) == (repr(expected), type(expected))


@pytest.mark.parametrize("text", [b"", b"[", b"{} {}", b"01", b'"\n"', b"\xff", b"[1,]", b"nul", b"'a'", b"[" * 100_000])
def test_what_is_no_json_is_refused_as_pythons_own_decoder_does(text: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)) as own:
        json.loads(text)
    with pytest.raises((libfal.DecodeError, RecursionError)) as caught:
        libfal.Response(200, {}, text).json()
    assert isinstance(caught.value, RecursionError) or str(own.value) in str(caught.value)


@pytest.mark.skipif(not hasattr(sys, "set_int_max_str_digits"), reason="this Python has no limit")
def test_an_integer_beyond_the_limit_of_python_is_named_and_not_lost(emulator: Emulator) -> None:
    # Type checkers for older versions do not know them.
    limit, set_limit = vars(sys)["get_int_max_str_digits"](), vars(sys)["set_int_max_str_digits"]
    text = '{"n": -' + "7" * 5000 + "}"
    action = {"type": "status", "status": 200, "body": text, "headers": {"content-type": "application/json"}}
    emulator.fault(action, path="/emulator/echo")
    with pytest.raises(libfal.DecodeError, match=f"an integer of more than {limit} digits, the limit of this Python") as caught:
        emulator.client().run("emulator/echo", {})
    error = caught.value
    assert "not JSON" not in str(error) and "sys.set_int_max_str_digits(0)" in error.remedy and "error.response.json()" in error.remedy
    assert error.response and error.response.content == text.encode()
    try:
        set_limit(0)
        assert error.response.json() == {"n": -int("7" * 5000)}
    finally:
        set_limit(limit)


def test_a_body_that_is_nested_too_deeply_for_python_is_named() -> None:
    # A decoder of Python needs a level of its stack for each.
    text = b"[" * 200_000 + b"]" * 200_000
    with pytest.raises(libfal.DecodeError, match="the body is nested too deeply") as caught:
        libfal.Response(200, {}, text).json()
    assert caught.value.response and caught.value.response.content == text


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells how much memory was used")
def test_a_large_value_is_in_memory_as_it_came_and_as_it_is_asked_for() -> None:
    code = """
        import json, socket, threading
        import logs

        SIZE = 64 << 20

        def serve(listener):
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        def answer(connection):
            connection.recv(1 << 16)
            head = b'HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n{"url": "' % (SIZE + 11)
            connection.sendall(head)
            for _ in range(SIZE >> 16):
                connection.sendall(b"A" * (1 << 16))
            connection.sendall(b'"}')

        def peak():
            with open("/proc/self/status") as status:
                line = next(line for line in status if line.startswith("VmHWM:"))
            return int(line.split()[1]) << 10

        listener = socket.create_server(("127.0.0.1", 0))
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        client = logs.client(key="fake-id:fake-secret", emulator_host="127.0.0.1:%d" % listener.getsockname()[1])
        start = peak()
        got = client.run("fal-ai/any", {})
        assert len(got["url"]) == SIZE
        times = (peak() - start) / SIZE
        print("good" if times <= 2.2 else f"{times} times as much")
        server.join()
        listener.close()
    """
    assert output(code) == "good\n"


def test_answers_are_copied_and_pickled_whole(emulator: Emulator) -> None:
    answer = emulator.client().with_raw_response.run("emulator/echo", {"a": 1})
    for twin in (pickle.loads(pickle.dumps(answer)), copy.copy(answer), copy.deepcopy(answer)):
        assert type(twin) is libfal.Response
        assert (twin.status_code, twin.headers, twin.content) == (answer.status_code, answer.headers, answer.content)
        assert twin.json()["body"] == {"a": 1} and "CONTENT-type" in twin.headers
        assert twin.request_id == answer.request_id


def test_an_answer_shows_its_facts_but_not_its_body(emulator: Emulator) -> None:
    answer = emulator.client().with_raw_response.run("emulator/echo", {"a": "private"})
    shown = repr(answer)
    assert "200" in shown and str(answer.request_id) in shown and f"{len(answer.content)} bytes" in shown
    assert "private" not in shown
    assert "private" not in str(answer)


def test_the_size_of_an_answer_is_limited(emulator: Emulator) -> None:
    with pytest.raises(libfal.ResponseTooLargeError) as caught:
        emulator.client(max_response_bytes=1000).run("emulator/bytes", {"size": 1001})
    assert caught.value.may_have_executed
    response = emulator.client(max_response_bytes=1000).with_raw_response.run("emulator/bytes", {"size": 1000})
    assert len(response.content) == 1000


def test_shutdown_stops_every_thread_and_libfal_starts_again(emulator: Emulator) -> None:
    code = """
        import os, time, libfal, logs
        tasks = lambda: len(os.listdir("/proc/self/task"))
        client = logs.client()
        alone = tasks()
        for _ in range(2):
            client.run("emulator/echo", {})
            assert tasks() > alone
            hanging = client.run_start("emulator/slow", {"ms": 60000})
            libfal.shutdown()
            # The kernel may list a joined thread for a moment longer.
            deadline = time.monotonic() + 2
            while tasks() > alone and time.monotonic() < deadline:
                time.sleep(0.001)
            assert tasks() == alone, tasks()
            try:
                hanging.result()
            except libfal.ShutDownError as error:
                print(error.code)
    """
    assert output(code, **emulator.environment()) == "FAL_E_SHUT_DOWN\n" * 2
