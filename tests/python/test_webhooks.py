"""Webhooks that the emulator really sends, received by the examples for ASGI and WSGI, and by a server of the tests' own."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import logs
import pytest
from conftest import Emulator

import libfal

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"


class Hook:
    """A server that keeps each delivery: its headers and its body."""

    def __init__(self) -> None:
        self.arrived: queue.Queue[tuple[list[tuple[str, str]], bytes]] = queue.Queue()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.arrived.put((self.headers.items(), body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


def delivered(emulator: Emulator, hook: Hook, application: str, arguments: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    handle = emulator.client().submit(application, arguments, webhook_url=hook.url)
    headers, body = hook.arrived.get(timeout=60)
    return handle.request_id, dict(headers), body


def test_a_delivery_is_verified_and_read(emulator: Emulator, hook: Hook) -> None:
    arguments = {"prompt": "é", "big": 123456789012345678901234567890}
    request_id, headers, body = delivered(emulator, hook, "emulator/echo", arguments)
    client = emulator.client()
    delivery = libfal.webhooks.verify(headers, body, client=client)
    assert (delivery.request_id, delivery.status, delivery.error, delivery.http_status) == (request_id, "OK", None, None)
    assert delivery.failure() is None and delivery.result() == delivery.payload == json.loads(body)["payload"]
    assert pickle.loads(pickle.dumps(delivery)) == delivery
    # The account has no key here, and the keys of the signatures are fetched once.
    anonymous = emulator.client(key=None, anonymous=True)
    for _ in range(3):
        assert libfal.webhooks.verify(headers, body, client=anonymous) == delivery
    asked = [it for it in emulator.arrivals() if it["path"] == "/.well-known/jwks.json"]
    assert len(asked) == 2 and not any(it.get("authorization") for it in asked)


def test_headers_come_as_each_framework_has_them(emulator: Emulator, hook: Hook) -> None:
    _, headers, body = delivered(emulator, hook, "emulator/echo", {})
    client = emulator.client()
    expected = libfal.webhooks.verify(headers, body, client=client)
    # What is secret or malformed in other headers is not read.
    others = {"Cookie": "session=\udcff", "Authorization": "Bearer x"}
    forms: list[Any] = [
        {name.upper(): value for name, value in headers.items()} | others,
        [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        ((name, value.encode()) for name, value in headers.items()),
        {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()} | {"wsgi.version": (1, 0), "PATH_INFO": "/"},
    ]
    for form in forms:
        assert libfal.webhooks.verify(form, body, client=client) == expected
    for content in (bytearray(body), memoryview(body)):
        assert libfal.webhooks.verify(headers, content, client=client) == expected

    async def main() -> None:
        assert await libfal.webhooks.verify_async(headers, body, client=client) == expected
        assert await libfal.webhooks.verify_async(forms[1], body, client=logs.async_client(emulator_host=emulator.address, key=emulator.api_key)) == expected

    asyncio.run(main())


def test_what_fal_did_not_send_is_refused(emulator: Emulator, hook: Hook) -> None:
    _, headers, body = delivered(emulator, hook, "emulator/echo", {"prompt": "a"})
    client = emulator.client()
    libfal.webhooks.verify(headers, body, client=client)
    other = {name: value for name, value in headers.items() if name.lower() != "x-fal-webhook-user-id"}
    name = "X-Fal-Webhook-Signature"
    signature = next(value for key, value in headers.items() if key.lower() == name.lower())
    forged: list[tuple[Any, bytes]] = [
        (headers, body.replace(b'"a"', b'"b"')),
        (headers, json.dumps(json.loads(body), indent=1).encode()),
        (other, body),
        ({}, body),
        ([*headers.items(), (name, signature)], body),
        ({**{key: value for key, value in headers.items() if key.lower() != name.lower()}, name: "00" * 64}, body),
    ]
    for wrong, content in forged:
        with pytest.raises(libfal.WebhookInvalidError):
            libfal.webhooks.verify(wrong, content, client=client)
    with pytest.raises(TypeError, match="body must be the bytes as they arrived, not str"):
        libfal.webhooks.verify(headers, body.decode(), client=client)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the names and values of headers must be str or bytes, not list"):
        libfal.webhooks.verify({**other, "x-fal-webhook-user-id": ["1"]}, body, client=client)


def test_a_replay_is_refused_after_five_minutes(emulator: Emulator, hook: Hook) -> None:
    headers, body = delivered(emulator, hook, "emulator/echo", {})[1:]
    client = emulator.client()
    first = libfal.webhooks.verify(headers, body, client=client)
    # Within that time, a repeated delivery is known by its request_id.
    assert libfal.webhooks.verify(headers, body, client=client).request_id == first.request_id
    late = {key: str(int(value) - 301) if key.lower().endswith("timestamp") else value for key, value in headers.items()}
    with pytest.raises(libfal.WebhookInvalidError, match=r"is 30[1-9] seconds old"):
        libfal.webhooks.verify(late, body, client=client)


def test_a_failed_job_has_its_error(emulator: Emulator, hook: Hook) -> None:
    request_id, headers, body = delivered(emulator, hook, "emulator/fail", {"status": 422, "body": {"detail": "no"}})
    delivery = libfal.webhooks.verify(headers, body, client=emulator.client())
    assert (delivery.status, delivery.http_status) == ("ERROR", 422)
    with pytest.raises(libfal.InvalidInputError) as caught:
        delivery.result()
    assert caught.value.status_code == 422 and caught.value.request_id == request_id
    again = pickle.loads(pickle.dumps(delivery))
    assert again == delivery and isinstance(again.failure(), libfal.InvalidInputError)


def test_keys_that_cannot_be_fetched_are_no_forgery(emulator: Emulator, hook: Hook) -> None:
    headers, body = delivered(emulator, hook, "emulator/echo", {})[1:]
    emulator.fault({"type": "status", "status": 500}, path="/.well-known/jwks.json", times=None)
    with pytest.raises(libfal.FalClientError) as caught:
        libfal.webhooks.verify(headers, body, client=emulator.client(max_attempts=1))
    assert not isinstance(caught.value, libfal.WebhookInvalidError)


def test_the_example_for_wsgi_answers_deliveries(emulator: Emulator) -> None:
    command = [sys.executable, "-X", "dev", str(EXAMPLES / "webhook_wsgi.py"), "0"]
    environment = {**os.environ, **emulator.environment()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as process:
        assert process.stdout
        guard = threading.Timer(60, process.kill)
        guard.start()
        try:
            port = process.stdout.readline().split()[-1]
            handle = emulator.client().submit("emulator/echo", {"a": 1}, webhook_url=f"http://127.0.0.1:{port}/hook")
            assert process.stdout.readline().startswith(f"{handle.request_id}: ")
            outcomes = [it["outcome"] for it in wait_for_outcome(emulator, handle.request_id)]
            assert outcomes == ["delivered"]
        finally:
            guard.cancel()
            process.kill()


def wait_for_outcome(emulator: Emulator, request_id: str) -> list[dict[str, Any]]:
    end = time.monotonic() + 60
    while True:
        assert time.monotonic() < end
        found = [it for it in emulator.control("GET", "webhooks")["deliveries"] if it["request_id"] == request_id]
        if found and all(it["outcome"] != "pending" for it in found):
            return found


def test_the_example_for_asgi_answers_deliveries(
    emulator: Emulator, hook: Hook, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    request_id, headers, body = delivered(emulator, hook, "emulator/echo", {"a": 1})
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(libfal.sync_client, "_core", None)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import webhook_asgi

    def posted(body: bytes) -> int:
        parts = [{"type": "http.request", "body": body[:9], "more_body": True}, {"type": "http.request", "body": body[9:]}]
        sent: list[Any] = []

        async def receive() -> Any:
            return parts.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        asyncio.run(webhook_asgi.application({"type": "http", "headers": pairs}, receive, send))
        status: int = sent[0]["status"]
        return status

    assert posted(body) == 204 and capsys.readouterr().out.startswith(f"{request_id}: ")
    assert posted(body + b" ") == 401
    monkeypatch.setattr(webhook_asgi, "MOST", 10)
    assert posted(body) == 413
