"""No representation of any object shows a secret."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from typing import Any, Callable

import pytest
from conftest import Emulator

import libfal


def shown(value: object) -> str:
    """Returns every text that a value exposes."""
    parts = [repr(value), str(value), repr(dir(value)), repr(getattr(value, "__dict__", ""))]
    if isinstance(value, BaseException):
        # Without the source lines of this test, which contain the keys.
        chain = traceback.TracebackException.from_exception(value)
        parts += [*chain.format_exception_only(), repr(value.args), shown(value.__cause__), shown(value.__context__)]
    if isinstance(value, libfal.Explanation):
        parts += [value.to_json(), repr(value.to_dict()), repr(value.used), str(value.problem)]
    if isinstance(value, libfal.Response):
        parts += [repr(value.headers), value.content.decode("latin-1")]
    try:
        parts.append(pickle.dumps(value).decode("latin-1"))
    except TypeError as error:
        parts.append(str(error))
    return "\n".join(parts)


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except (libfal.FalClientError, TypeError) as error:
        return error


def test_nothing_shows_a_secret(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    secrets = [*emulator.secrets, "fake-secret-of-the-variable", "fake-secret-of-the-file", "fake-secret-misplaced"]
    path = home / "key"
    path.write_text("fake-of-the-file:fake-secret-of-the-file")
    monkeypatch.setenv("FAL_KEY", "fake-of-the-variable:fake-secret-of-the-variable")
    monkeypatch.setenv("FAL_KEY_FILE", str(path))
    monkeypatch.setenv("FAL_KEY_SECRET", "fake-secret-of-the-variable")
    lines: list[tuple[str, str]] = []
    misplaced = "fake-misplaced:fake-secret-misplaced"

    def client(**options: Any) -> libfal.SyncClient:
        return emulator.client(log=lambda *line: lines.append(line), log_level="debug", **options)

    for action in ({"type": "status", "status": 500, "body": {"detail": f"who is {emulator.api_key}?"}}, {"type": "close"}):
        emulator.fault(action, path="/emulator/echo")
    emulator.fault({"type": "redirect", "location": f"https://example.com/?key={emulator.api_key}"}, path="/acme/shared")
    good = client()
    token = good.mint_token("emulator/echo")
    secrets.append(token.text)
    seen: list[object] = [
        good,
        libfal.AsyncClient(misplaced),
        good.explain(),
        libfal.explain(),
        libfal.explain(emulator.api_key),
        outcome(lambda: good.run("emulator/echo", {})),
        outcome(lambda: good.run("emulator/echo", {})),
        outcome(lambda: good.run("emulator/echo", {})),
        outcome(lambda: good.run("acme/shared", {})),
        outcome(lambda: good.request("GET", "/v1/keys")),
        outcome(lambda: good.request("GET", "https://example.com/")),
        outcome(lambda: good.run_start("emulator/slow", {"ms": 1})),
        outcome(lambda: client(key=f"{emulator.api_key} ").run("acme/private", {})),
        outcome(lambda: client(key=emulator.admin_key).request("GET", "/v1/keys")),
        outcome(lambda: client(key=emulator.secrets[0]).run("emulator/echo", {})),
        outcome(lambda: client(key=f"Key {emulator.api_key}").run("emulator/echo", {})),
        outcome(lambda: client(key=misplaced).run("emulator/echo", {})),
        outcome(lambda: client(key=None, profile=misplaced).run("emulator/echo", {})),
        outcome(lambda: client(key=None, config_path=misplaced, profile="a").run("emulator/echo", {})),
        outcome(lambda: libfal.SyncClient(misplaced.encode())),  # type: ignore[arg-type]
        outcome(lambda: good.request("GET", "/v1/models", headers={"Authorization": misplaced})),
        outcome(good.check),
        outcome(lambda: client(key=None, app_token=misplaced).run("emulator/echo", {})),
        outcome(lambda: client(key=None, app_token=token).run("acme/private", {})),
        outcome(lambda: client(key=None, app_token=token).check()),
        token,
        outcome(lambda: client(key=None, credential=lambda: misplaced.encode()).run("emulator/echo", {})),
        outcome(lambda: client(key=None, credential=lambda: (misplaced, misplaced)).run("emulator/echo", {})),
        outcome(lambda: client(key=None, credential=lambda: misplaced).run("emulator/echo", {})),
        outcome(lambda: client(key=None, credential=misplaced)),
        outcome(lambda: client(key=None, proxy=f"https://{misplaced}@example.com/").run("emulator/echo", {})),
        outcome(lambda: libfal.store_key("a", emulator.api_key)),
        outcome(lambda: libfal.store_key(misplaced, misplaced)),
        outcome(lambda: libfal.store_key("a", emulator.secrets[0])),
        outcome(lambda: libfal.store_key("a", misplaced.encode())),  # type: ignore[arg-type]
        outcome(lambda: libfal.set_active_profile(misplaced)),
        outcome(lambda: libfal.profiles(misplaced)),
        *libfal.profiles(),
    ]
    libfal.flush_log()
    text = "\n".join([*map(shown, seen), *map(str, lines)])
    expected = {
        libfal.SyncClient,
        libfal.Response,
        libfal.Operation,
        libfal.Explanation,
        libfal.CredentialsError,
        libfal.ForbiddenError,
        libfal.ServiceError,
        libfal.TransportError,
        libfal.RedirectError,
        libfal.AuthenticationError,
        libfal.AppToken,
        libfal.Change,
        libfal.Check,
        libfal.Profile,
    }
    assert [cls for cls in expected if not any(isinstance(one, cls) for one in seen)] == []
    assert emulator.key_id in text and len(lines) > 10
    for secret in secrets:
        assert secret not in text
