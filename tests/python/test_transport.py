"""Requests: their content, number and destination."""

from __future__ import annotations

import time

import logs
import pytest
from conftest import Emulator

import libfal


def test_a_429_is_sent_again_after_the_time_asked_for(emulator: Emulator) -> None:
    emulator.fault({"type": "status", "status": 429, "retry_after": {"seconds": 1}})
    started = time.monotonic()
    assert emulator.client().run("emulator/echo", {"a": 1})["body"] == {"a": 1}
    assert time.monotonic() - started >= 1
    assert [arrival["outcome"] for arrival in emulator.arrivals()] == [429, 200]


def test_the_attempts_are_limited(emulator: Emulator) -> None:
    emulator.fault({"type": "status", "status": 429, "retry_after": {"seconds": 1}}, times=None)
    with pytest.raises(libfal.RateLimitedError) as caught:
        emulator.client(max_attempts=2).run("emulator/echo", {})
    assert len(emulator.arrivals()) == 2
    assert caught.value.retry_after == 1.0
    assert caught.value.is_retryable and not caught.value.may_have_executed


@pytest.mark.parametrize("action", [{"type": "reset", "when": "after_body"}, {"type": "close"}])
def test_a_lost_post_is_never_sent_again(emulator: Emulator, action: dict[str, str]) -> None:
    emulator.fault(action, method="POST")
    with pytest.raises(libfal.TransportError) as caught:
        emulator.client().run("emulator/echo", {})
    assert caught.value.code == "FAL_E_CONNECTION_LOST"
    assert caught.value.may_have_executed and not caught.value.is_retryable
    (arrival,) = emulator.arrivals()
    assert arrival["executed"]


def test_a_lost_get_is_sent_again(emulator: Emulator) -> None:
    emulator.fault({"type": "reset", "when": "after_body"}, method="GET")
    assert emulator.client().request("GET", "/v1/models").status_code == 200
    assert len(emulator.arrivals()) == 2


@pytest.mark.parametrize(
    "url", ["https://example.com/", "http://fal.run/emulator/echo", "https://fal.run.example.com/", "https://user@fal.run/a/b"]
)
def test_a_foreign_address_is_refused(emulator: Emulator, url: str) -> None:
    with pytest.raises(libfal.ForeignOriginError) as caught:
        emulator.client().request("GET", url)
    assert not caught.value.may_have_executed
    assert emulator.arrivals() == []


def test_a_redirect_elsewhere_is_not_followed(emulator: Emulator) -> None:
    emulator.fault({"type": "redirect", "location": "https://example.com/steal", "status": 307})
    with pytest.raises(libfal.RedirectError, match="example.com") as caught:
        emulator.client().run("emulator/echo", {})
    assert caught.value.response_headers["location"] == "https://example.com/steal"
    assert [arrival["host"] for arrival in emulator.arrivals()] == ["fal.run"]


@pytest.mark.parametrize("of_the_client", [True, False])
def test_the_time_for_a_call_is_limited(emulator: Emulator, of_the_client: bool) -> None:
    client = emulator.client(default_timeout=0.3 if of_the_client else 100)
    started = time.monotonic()
    with pytest.raises(libfal.FalClientTimeoutError) as caught:
        if of_the_client:
            client.request("POST", "https://fal.run/emulator/slow", json={"ms": 60000})
        else:
            client.run("emulator/slow", {"ms": 60000}, timeout=0.3)
    assert 0.3 <= time.monotonic() - started < 10
    assert isinstance(caught.value, TimeoutError) and caught.value.timeout == 0.3
    assert caught.value.may_have_executed
    assert len(emulator.arrivals()) == 1


def test_an_answer_that_is_not_http(emulator: Emulator) -> None:
    emulator.fault({"type": "malformed_http"})
    with pytest.raises(libfal.ProtocolError) as caught:
        emulator.client().run("emulator/echo", {})
    assert caught.value.may_have_executed


def test_no_connection(emulator: Emulator) -> None:
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = logs.client("fake-id:fake-secret", emulator_host=f"127.0.0.1:{unused.getsockname()[1]}", max_attempts=1)
        with pytest.raises(libfal.TransportError) as caught:
            client.run("emulator/echo", {})
    assert caught.value.code == "FAL_E_CONNECT"
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.is_retryable and not caught.value.may_have_executed
