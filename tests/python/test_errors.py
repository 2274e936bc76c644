"""Errors: their classes, attributes and texts."""

from __future__ import annotations

import copy
import errno
import json
import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import logs
import pytest
from conftest import Emulator

import libfal
from libfal import _errors, _libfal

CODES = dict(json.loads(_libfal.codes()))


def test_every_code_of_the_core_has_a_class() -> None:
    assert list(_errors.CLASSES) == list(CODES)


@pytest.mark.parametrize("status", [418, None])
@pytest.mark.parametrize("name", CODES)
def test_classes_are_public_and_their_instances_travel(name: str, status: int | None) -> None:
    cls = _errors.CLASSES[name]
    assert getattr(libfal, cls.__name__) is cls and cls.__name__ in libfal.__all__
    assert issubclass(cls, libfal.FalClientError) and cls.__doc__
    facts: dict[str, Any] = {
        "code": name,
        "message": "it failed",
        "remedy": "do this",
        "status_code": status,
        "error_type": "teapot",
        "request_id": "r-1",
        "response_headers": {"a": "b"},
        "response": None,
        "may_have_executed": True,
        "is_retryable": True,
        "retry_after": 0.5,
        "needed_scope": "ADMIN",
        "explanation": libfal.explain("fake-id:fake-secret"),
    }
    error = _errors._made(cls, ("it failed",), facts)
    assert isinstance(error, libfal.FalClientHTTPError) is (status is not None)
    assert repr(error) == f"{cls.__name__}('it failed')" and hash(error)
    assert "it failed\ndo this" in str(error)
    assert error.args == ("it failed",)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error) and isinstance(twin, cls)
        assert {fact: getattr(twin, fact) for fact in facts} == facts
        assert str(twin) == str(error) and twin.message == "it failed"


def test_a_refused_file_is_the_exception_of_python(emulator: Emulator, tmp_path: Path) -> None:
    client, path = emulator.client(), tmp_path / "there"
    url = client.upload(b"content", "text/plain")
    path.write_bytes(b"mine")
    calls: list[tuple[type[OSError], int, Path, Callable[[], object]]] = [
        (FileExistsError, errno.EEXIST, path, lambda: client.download(url, path)),
        (FileNotFoundError, errno.ENOENT, tmp_path / "no", lambda: client.download(url, tmp_path / "no" / "file")),
        (FileNotFoundError, errno.ENOENT, tmp_path / "no", lambda: client.run("emulator/echo", {"a": [tmp_path / "no"]})),
        (IsADirectoryError, errno.EISDIR, tmp_path, lambda: client.subscribe("emulator/echo", {"a": [tmp_path]})),
    ]
    for cls, number, place, call in calls:
        with pytest.raises(cls) as caught:
            call()
        error: Any = caught.value
        assert isinstance(error, libfal.ResourceError) and str(place) in error.message and error.code == "FAL_E_IO"
        for it in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert (it.errno, it.filename, it.strerror) == (number, str(place), os.strerror(number))
            assert type(it) is type(error) and str(it) == str(error) and repr(it).startswith("ResourceError(")
    with pytest.raises(IsADirectoryError):
        client.upload_file(tmp_path)
    assert not [it for it in emulator.arrivals() if it["path"].startswith("/emulator/echo")] and path.read_bytes() == b"mine"


def test_the_number_of_a_refused_connection_is_that_of_the_system() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        client = logs.client(key="fake-id:fake-secret", emulator_host=f"127.0.0.1:{closed.getsockname()[1]}", max_attempts=1)
        with pytest.raises(libfal.TransportError) as caught:
            client.run("emulator/echo", {})
    error = caught.value
    assert (error.errno, error.strerror) == (errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    assert pickle.loads(pickle.dumps(error)).errno == errno.ECONNREFUSED


@pytest.mark.parametrize("args", [(), (5,), ("a", "b"), ("text",), (ValueError("why"),)])
def test_an_error_of_the_program_takes_what_any_exception_takes(args: tuple[Any, ...]) -> None:
    class Own(libfal.FalClientError):
        pass

    for cls in (libfal.FalClientError, libfal.InvalidArgumentError, libfal.UsageError, Own):
        error = cls(*args)
        assert error.args == args and str(error) == error.message == str(Exception(*args))
        assert str(cls(*args, remedy="do this")).endswith("do this") and pickle.loads(pickle.dumps(libfal.UsageError(*args))).remedy == ""


def test_no_name_hides_a_builtin() -> None:
    import builtins

    assert not set(libfal.__all__) & set(dir(builtins)) - {"__version__"}


def test_errors_are_also_what_python_calls_them() -> None:
    assert issubclass(libfal.FalClientTimeoutError, TimeoutError)
    assert issubclass(libfal.TransportError, ConnectionError)
    assert issubclass(libfal.InvalidArgumentError, ValueError)


@pytest.mark.parametrize(
    ("path", "cls", "status", "error_type"),
    [
        ("downstream_service_error", libfal.ServiceError, 400, "downstream_service_error"),
        ("image_too_large", libfal.InvalidInputError, 422, "image_too_large"),
        ("runner_disconnected", libfal.ServiceError, 503, "runner_disconnected"),
        ("concurrent_requests_limit", libfal.RateLimitedError, 429, "concurrent_requests_limit"),
        ("uncaught_exception", libfal.ServiceError, 500, None),
    ],
)
def test_failures_have_the_class_of_their_kind(
    emulator: Emulator, path: str, cls: type[libfal.FalClientError], status: int, error_type: str | None
) -> None:
    with pytest.raises(cls) as caught:
        emulator.client(max_attempts=1).run(f"emulator/fail/{path}", {})
    error = caught.value
    assert (error.status_code, error.error_type) == (status, error_type)
    assert error.request_id == error.response_headers["x-fal-request-id"] == emulator.arrivals()[0]["request_id"]
    assert error.response and error.response.json() and error.response.status_code == status
    assert error.remedy


def test_the_fields_of_a_refused_input_are_told(emulator: Emulator) -> None:
    with pytest.raises(libfal.InvalidInputError) as caught:
        emulator.client().run("fal-ai/flux/schnell", {"image_size": {"width": 1, "height": 64}})
    error = caught.value
    assert (error.code, error.status_code) == ("FAL_E_INVALID_INPUT", 422)
    assert error.response
    assert [entry["loc"] for entry in error.response.json()["detail"]] == [
        ["body", "prompt"],
        ["body", "image_size", "width"],
    ]
    assert "body.prompt: " in str(error) and "body.image_size.width: " in str(error)
    assert not error.is_retryable and not error.may_have_executed
    assert len(emulator.arrivals()) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_of_scope_api_is_told_that_admin_is_needed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    emulator.control("PUT", "settings", {"admin_refusal_status": status})
    monkeypatch.setenv("FAL_KEY", emulator.api_key)
    expected = libfal.AuthenticationError if status == 401 else libfal.ForbiddenError
    with pytest.raises(expected) as caught:
        logs.client(emulator_host=emulator.address).request("GET", "/v1/keys")
    error = caught.value
    assert (error.status_code, error.needed_scope) == (status, "ADMIN")
    assert emulator.key_id in str(error) and "FAL_KEY" in str(error) and "ADMIN" in str(error)
    assert error.explanation and error.explanation.used and error.explanation.used.key_id == emulator.key_id


def test_a_key_of_scope_admin_lists_the_keys(emulator: Emulator) -> None:
    answer = emulator.client(key=emulator.admin_key).request("GET", "/v1/keys")
    assert emulator.key_id in [key["key_id"] for key in answer.json()["keys"]]


def test_a_locked_account_and_a_missing_app(emulator: Emulator) -> None:
    emulator.control("PUT", "settings", {"locked_accounts": {"acme": "Exhausted balance."}})
    with pytest.raises(libfal.AccountLockedError, match="Exhausted balance"):
        emulator.client().run("emulator/echo", {})
    emulator.control("PUT", "settings", {})
    with pytest.raises(libfal.NotFoundError):
        emulator.client().run("nobody/nothing", {})
    with pytest.raises(libfal.AuthenticationError, match="fake-id from explicit key"):
        emulator.client(key="fake-id:fake-secret").run("emulator/echo", {})


@pytest.mark.parametrize(
    "options",
    [
        {"default_timeout": -1.0},
        {"default_timeout": float("nan")},
        {"default_timeout": float("inf")},
        {"max_attempts": 0},
        {"max_attempts": -1},
        {"max_attempts": 101},
        {"max_response_bytes": -1},
        {"user_agent": "a\nb"},
        {"run_host": "https://fal.run"},
        {"emulator_host": "fal.run:443"},
        {"log": print, "log_level": "loud"},
    ],
)
def test_malformed_options_are_value_errors(options: dict[str, Any]) -> None:
    with pytest.raises(libfal.InvalidArgumentError) as caught:
        logs.client(**options)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == "FAL_E_INVALID_ARGUMENT"
    assert caught.value.remedy


@pytest.mark.parametrize("options", [{"key": 7}, {"key": b"fake-id:fake-secret"}, {"log": 7}, {"default_timeout": "1"}, {"tmeout": 1}])
def test_options_of_a_wrong_type_are_type_errors(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as caught:
        logs.client(**options)
    assert "fake-secret" not in str(caught.value)


def test_a_malformed_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_RUN_HOST", "https://fal.run/")
    with pytest.raises(libfal.InvalidArgumentError, match="FAL_RUN_HOST"):
        logs.client()


def test_malformed_endpoints_and_addresses_send_nothing(emulator: Emulator) -> None:
    client = emulator.client()
    for endpoint in ("", "flux", "a/../b", "https://example.com/a/b"):
        with pytest.raises(libfal.InvalidArgumentError):
            client.run(endpoint, {})
    for url in ("", "fal.run/a"):
        with pytest.raises(libfal.InvalidArgumentError):
            client.request("GET", url)
    assert emulator.arrivals() == []
