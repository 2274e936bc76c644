"""Connections to apps: realtime, plain WebSockets, and channels."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import logs
import pytest
from conftest import Emulator

import libfal

OUTPUT = {"emulator": {"outputs": 1}}


def async_client(emulator: Emulator) -> libfal.AsyncClient:
    return logs.async_client(emulator.api_key, emulator_host=emulator.address)


def test_inputs_are_answered_in_order(emulator: Emulator) -> None:
    with emulator.client().realtime("emulator/realtime", max_buffering=5, token_expiration=60) as connection:
        for n in range(20):
            connection.send({"n": n, "text": "größer", "big": 2**63, "float": 0.5})
            assert connection.recv()["n"] == n
    token, handshake = emulator.arrivals()
    assert token["path"] == "/tokens/" and token["body"]["token_expiration"] == 60
    assert handshake["path"] == "/emulator/realtime/realtime" and "max_buffering=5" in handshake["query"]
    assert handshake["token"] and not handshake["had_key"]


def test_the_key_opens_a_connection_only_if_it_is_meant_to(emulator: Emulator) -> None:
    with emulator.client().realtime("emulator/realtime", use_jwt=False, path="realtime") as connection:
        connection.send({"a": 1})
        assert connection.recv()["a"] == 1
    (handshake,) = emulator.arrivals()
    assert handshake["had_key"] and not handshake["token"]


def test_bytes_are_bytes_both_ways(emulator: Emulator) -> None:
    with emulator.client().realtime("emulator/realtime") as connection:
        connection.send({"image": b"\x00\xff", "list": [bytearray(b"abc")]})
        result = connection.recv()
        assert (result["image"], result["list"]) == (b"\x00\xff", [b"abc"])
        connection.send({"emulator": {"bytes": 100_000, "outputs": 0}})
        assert [len(value) for value in connection.recv().values() if isinstance(value, bytes)] == [100_000]


def test_values_that_a_message_cannot_hold_are_refused_or_stay(emulator: Emulator) -> None:
    whole: dict[str, Any] = {"least": -(2**63), "most": 2**64 - 1, "text": "1" * 30}
    alike: dict[str, Any] = {"a": {"$bytes": "not base64!"}, "b": {"$bytes": "QQ"}, "c": {"$bytes": "QQ==", "d": 1}}
    with emulator.client().realtime("emulator/realtime") as connection:
        for large in (2**64, -(2**63) - 1, 10**100):
            with pytest.raises(libfal.InvalidArgumentError, match=r'^arguments\["a"\]\[0\]: the integer has more than 64 bits\n'):
                connection.send({"a": [large]})
        connection.send({**whole, "emulator": {"outputs": 1}})
        assert whole.items() <= connection.recv().items()
        for name, value in alike.items():
            connection.send({"emulator": {"text": json.dumps({name: value}), "outputs": 0}})
            while name not in (found := connection.recv()):
                pass
            assert found == {name: value}


def test_a_message_is_encoded_once(emulator: Emulator) -> None:
    encoded: list[int] = []

    def encode(message: int) -> bytes:
        encoded.append(message)
        return FRAME

    async def main() -> None:
        async with async_client(emulator).realtime("emulator/realtime", encode_message=encode, decode_message=len) as connection:
            for n in range(1000):
                await connection.send(n)

    with emulator.client().realtime("emulator/realtime", encode_message=encode, decode_message=len) as connection:
        for n in range(1000):
            connection.send(n)
    asyncio.run(main())
    assert encoded == [*range(1000), *range(1000)]


def test_messages_of_the_platform_are_not_results(emulator: Emulator) -> None:
    with emulator.client().realtime("emulator/realtime") as connection:
        connection.send({"a": 1, "emulator": {"timings": True}})
        assert connection.recv()["a"] == 1
        connection.send({"emulator": {"text": "no json", "outputs": 0}})
        assert connection.recv() == {"type": "text", "payload": "no json"}
        connection.send({"a": 2})
        while "a" not in (result := connection.recv()):
            pass
        assert result["a"] == 2


def test_the_error_of_the_app_has_its_name_and_reason(emulator: Emulator) -> None:
    with emulator.client().realtime("emulator/realtime") as connection:
        connection.send({"emulator": {"error": "INTERNAL_ERROR", "reason": "no memory"}})
        with pytest.raises(libfal.RealtimeError) as caught:
            while connection.recv() is not None:
                pass
    error = caught.value
    assert isinstance(error, (libfal.FalClientError, RuntimeError))
    assert (error.error, error.reason) == ("INTERNAL_ERROR", "no memory")
    assert error.payload["type"] == "x-fal-error" and str(error).startswith("INTERNAL_ERROR: no memory")


def test_the_end_of_the_app_is_the_end(emulator: Emulator) -> None:
    with emulator.client().realtime("emulator/realtime") as connection:
        connection.send({"emulator": {"close": 1000}})
        while connection.recv() is not None:
            pass
        assert connection.recv() is None
        with pytest.raises(libfal.UsageError):
            connection.send({})


@pytest.mark.parametrize("kind", ["realtime", "ws_connect"])
@pytest.mark.parametrize(("code", "reason"), [(1011, "the app crashed"), (4001, '{"a": 1}'), (1011, "")])
def test_a_close_with_a_code_has_its_code_and_reason(emulator: Emulator, kind: str, code: int, reason: str) -> None:
    message = f"the server closed the connection with code {code}" + (f": {reason}" if reason else "")

    def check(caught: pytest.ExceptionInfo[libfal.RealtimeError]) -> None:
        error = caught.value
        assert (error.error, error.reason, error.may_have_executed) == ("CONNECTION_CLOSED", message, True)
        assert error.code == "FAL_E_SERVICE_FAILED" and error.payload == {}

    async def main() -> None:
        client: Any = async_client(emulator)
        async with getattr(client, kind)("emulator/realtime", path="/realtime") as connection:
            await connection.send(closing)
            with pytest.raises(libfal.RealtimeError) as caught:
                await connection.recv()
            check(caught)

    closing: Any = {"emulator": {"close": code, "reason": reason, "outputs": 0}}
    if kind == "ws_connect":
        text = reason.encode()
        closing = b"\x81\xa8emulator\x83\xa5close\xcd%b\xa6reason\xd9%c%b\xa7outputs\x00" % (code.to_bytes(2, "big"), len(text), text)
    client: Any = emulator.client()
    with getattr(client, kind)("emulator/realtime", path="/realtime") as connection:
        connection.send(closing)
        with pytest.raises(libfal.RealtimeError) as caught:
            connection.recv()
        check(caught)
    asyncio.run(main())


def test_a_refusal_that_is_no_json_is_its_error(emulator: Emulator) -> None:
    emulator.fault({"type": "status", "status": 500, "body": "no runner"}, path="/emulator/realtime/realtime")
    with pytest.raises(libfal.ServiceError) as caught:
        with emulator.client().realtime("emulator/realtime"):
            raise AssertionError("it is open")
    assert caught.value.status_code == 500 and caught.value.response and caught.value.response.text == "no runner"


def test_a_connection_that_breaks_is_told_and_used_again(emulator: Emulator) -> None:
    with emulator.client().realtime("emulator/realtime") as connection:
        connection.send({"emulator": {"drop": True, "outputs": 0}})
        with pytest.raises(libfal.RealtimeError, match="CONNECTION_CLOSED") as caught:
            connection.recv()
        assert caught.value.error == "CONNECTION_CLOSED"
        connection.send({"a": 1})
        assert connection.recv()["a"] == 1


def test_a_session_without_inputs_ends_with_an_error(emulator: Emulator) -> None:
    with emulator.client().realtime("emulator/realtime") as connection:
        connection.send({"emulator": {"error": "TIMEOUT", "reason": "no inputs", "outputs": 0}})
        with pytest.raises(libfal.RealtimeError, match="TIMEOUT"):
            connection.recv()


@pytest.mark.parametrize("use_jwt", [True, False])
def test_a_refused_connection_raises_its_error_at_once(emulator: Emulator, use_jwt: bool) -> None:
    with pytest.raises(libfal.AuthenticationError) as caught:
        with emulator.client(key="fake-id:fake-secret").realtime("emulator/realtime", use_jwt=use_jwt):
            raise AssertionError("it is open")
    assert caught.value.status_code == 401
    with pytest.raises(libfal.NotFoundError):
        with emulator.client().ws_connect("emulator/echo", use_jwt=use_jwt):
            raise AssertionError("it is open")


@pytest.mark.parametrize("name", ["encode_message", "decode_message"])
def test_a_codec_that_cannot_be_called_sends_nothing(emulator: Emulator, name: str) -> None:
    clients: list[Any] = [emulator.client(), async_client(emulator)]
    for client in clients:
        with pytest.raises(TypeError, match=f"{name} must be a callable, not str"):
            client.realtime("emulator/realtime", **{name: "msgpack"})
    assert emulator.arrivals() == []


def test_what_opens_a_connection_says_how(emulator: Emulator) -> None:
    opening: Any = emulator.client().realtime("emulator/realtime")
    with pytest.raises(AttributeError, match=r"'Opening' object has no attribute 'send': .* `with client\.realtime\(…\) as connection:`"):
        opening.send({})
    assert not hasattr(opening, "recv") and emulator.arrivals() == []
    with opening:
        pass
    with pytest.raises(libfal.UsageError, match="the connection was opened by another with statement"), opening:
        pass

    async def main() -> None:
        opening: Any = async_client(emulator).ws_connect("emulator/ws")
        with pytest.raises(AttributeError, match="`async with client"):
            await opening.send("")
        async with opening:
            pass
        with pytest.raises(libfal.UsageError, match="opened by another"):
            async with opening:
                pass

    asyncio.run(main())


@pytest.mark.parametrize("options", [{"max_buffering": 0}, {"max_buffering": 61}, {"token_expiration": 0}, {"path": ".."}])
def test_a_wrong_option_sends_nothing(emulator: Emulator, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        with emulator.client().realtime("emulator/realtime", **options):
            pass
    assert emulator.arrivals() == []


def test_messages_of_a_websocket_are_texts_and_bytes(emulator: Emulator) -> None:
    with emulator.client().ws_connect("emulator/ws") as socket:
        for message in ("größer", "1", '{"a": 1}', b"\x00\xff", "", bytearray(b"abc"), "x" * 100_000):
            socket.send(message)
            assert socket.recv() == (message if isinstance(message, str) else bytes(message))
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.05)
        with pytest.raises(libfal.InvalidArgumentError, match="timeout"):
            socket.recv(timeout=float("nan"))
        with pytest.raises(TypeError, match="dict"):
            socket.send({})  # type: ignore[arg-type]
        socket.send("last")
        for message in socket:
            assert message == "last"
            break
        emulator.control("DELETE", "websockets")
        with pytest.raises(libfal.RealtimeError, match="CONNECTION_CLOSED"):
            while True:
                socket.recv()


def test_a_full_queue_is_waited_for(emulator: Emulator) -> None:
    received: list[str] = []
    with emulator.client().ws_connect("emulator/ws") as socket:

        def read() -> None:
            for message in socket:
                received.append(str(message))
                if len(received) == 1000:
                    return

        reader = threading.Thread(target=read)
        reader.start()
        for n in range(1000):
            socket.send(str(n))
        reader.join(30)
    assert received == [str(n) for n in range(1000)]


def test_leaving_with_an_exception_ends_the_connection(emulator: Emulator) -> None:
    sockets: list[libfal.WebSocketConnection] = []
    with pytest.raises(KeyError):
        with emulator.client().ws_connect("emulator/ws") as socket:
            sockets.append(socket)
            socket.send("a")
            raise KeyError
    with pytest.raises(libfal.FalClientError):
        sockets[0].send("b")
    end = time.monotonic() + 10
    while emulator.control("GET", "stats")["open_websockets"] and time.monotonic() < end:
        time.sleep(0.005)
    assert emulator.control("GET", "stats")["open_websockets"] == 0


def test_in_an_event_loop(emulator: Emulator) -> None:
    it = async_client(emulator)

    async def main() -> None:
        async with it.realtime("emulator/realtime") as connection:
            await connection.send({"a": 1, "image": b"abc"})
            result = await connection.recv()
            assert (result["a"], result["image"]) == (1, b"abc")
            await connection.send({"emulator": {"error": "ODD", "reason": "why"}})
            with pytest.raises(libfal.RealtimeError, match="ODD: why"):
                while await connection.recv() is not None:
                    pass
        async with it.ws_connect("emulator/ws") as socket:
            await socket.send("a")
            assert await socket.recv() == "a"
            await socket.send(b"b")
            async for message in socket:
                assert message == b"b"
                break
            # A cancelled wait loses no message.
            for n in range(20):
                await socket.send(str(n))
                waiting = asyncio.ensure_future(socket.recv())
                await asyncio.sleep(0)
                waiting.cancel()
                try:
                    assert await waiting == str(n)
                except asyncio.CancelledError:
                    assert await socket.recv() == str(n)
        with pytest.raises(libfal.AuthenticationError):
            async with logs.async_client("fake-id:fake-secret", emulator_host=emulator.address).realtime("emulator/realtime"):
                raise AssertionError("it is open")
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_tasks_that_wait_for_one_connection_are_all_woken(emulator: Emulator, library: str) -> None:
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(library)
    it = async_client(emulator)
    got: list[object] = []

    async def receive(socket: libfal.AsyncWebSocketConnection) -> None:
        try:
            got.append(await socket.recv())
        except libfal.RealtimeError as error:
            got.append(error.error)

    async def main() -> None:
        async with it.ws_connect("emulator/ws") as socket:
            with anyio.fail_after(30):
                async with anyio.create_task_group() as group:
                    for _ in range(3):
                        group.start_soon(receive, socket)
                    await anyio.sleep(0.05)
                    await socket.send("a")
                    await socket.send("b")
                    while len(got) < 2:
                        await anyio.sleep(0.005)
                    await socket.close()
        stream = it.stream("emulator/stream", {"events": list(range(20)), "ms": 5})

        async def read() -> None:
            got.extend([item async for item in stream])

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                group.start_soon(read)

    anyio.run(main, backend=library)
    assert sorted(map(str, got[:3])) == ["CONNECTION_CLOSED", "a", "b"]
    assert sorted(map(str, got[3:])) == sorted(map(str, range(20)))


def test_a_channel_runs_many_inputs_over_one_connection(emulator: Emulator) -> None:
    with emulator.client().channel("emulator/echo") as channel:
        assert [channel.run({"n": n})["body"]["n"] for n in range(10)] == list(range(10))
    with pytest.raises(libfal.UsageError, match="closed"):
        channel.run({})
    with emulator.client().channel("emulator/stream", path="stream") as channel:
        items: list[Any] = list(channel.stream({"events": [1, 2]}))
        assert items == [1, 2]

    async def main() -> None:
        async with async_client(emulator).channel("emulator/echo") as channel:
            results = await asyncio.gather(*(channel.run({"n": n}) for n in range(10)))
            assert [result["body"]["n"] for result in results] == list(range(10))

    asyncio.run(main())
    assert len({arrival["connection"] for arrival in emulator.arrivals(host="ws.fal.run", method="POST")}) == 3


# {"a": 1} in MessagePack.
FRAME = b"\x81\xa1a\x01"


def test_an_encoding_that_is_false_is_used(emulator: Emulator) -> None:
    class Encoding(list[Any]):
        def __call__(self, message: Any) -> bytes:
            self.append(message)
            return FRAME

    encoding = Encoding()
    with emulator.client().realtime("emulator/realtime", encode_message=encoding, decode_message=len) as connection:
        connection.send({"b": 2})
        assert (connection.recv(), encoding) == (len(FRAME), [{"b": 2}])


def test_an_app_may_have_an_encoding_of_its_own(emulator: Emulator) -> None:
    sent: list[Any] = []

    def encode(message: Any) -> bytes:
        sent.append(message)
        return FRAME

    with emulator.client().realtime("emulator/realtime", encode_message=encode, decode_message=len) as connection:
        connection.send({"b": 2})
        assert (connection.recv(), sent) == (len(FRAME), [{"b": 2}])
    pytest.importorskip("msgpack")
    actions = {"a": 1, "emulator": {"timings": True, "error": "ODD", "reason": "why"}}
    with emulator.client().realtime("emulator/realtime", decode_message=len) as connection:
        connection.send(actions)
        assert connection.recv() > 1
        with pytest.raises(libfal.RealtimeError, match="ODD: why"):
            connection.recv()
    with emulator.client().realtime("emulator/realtime", encode_message=encode) as connection:
        connection.send({"b": 2})
        assert connection.recv()["a"] == 1
    assert emulator.arrivals()[-1]["path"] == "/emulator/realtime/realtime"
