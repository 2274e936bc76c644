"""Key checks, short-lived tokens, server proxies, and replacing the credential."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import logs
import pytest
from conftest import Emulator

import libfal


def test_a_check_tells_scope_and_account_and_runs_nothing(emulator: Emulator) -> None:
    assert emulator.client().check() == libfal.Check(True, "API", "acme", None, emulator.key_id, "explicit key")
    admin = emulator.client(key=emulator.admin_key).check()
    assert (admin.accepted, admin.scope, admin.account) == (True, "ADMIN", "acme")
    bad = emulator.client(key="fake-id:fake-secret-wrong").check()
    assert bad == libfal.Check(False, None, None, None, "fake-id", "explicit key")
    emulator.control("PUT", "settings", {"locked_accounts": {"acme": "Exhausted balance"}, "admin_refusal_status": 401})
    locked = emulator.client().check()
    assert locked.accepted and "Exhausted balance" in (locked.locked or "")
    assert not any(arrival["executed"] for arrival in emulator.arrivals() if arrival["method"] == "POST")
    with pytest.raises(dataclasses.FrozenInstanceError):
        admin.scope = "API"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(admin)) == copy.deepcopy(admin) == admin


def test_a_check_that_cannot_be_made_is_no_verdict(emulator: Emulator) -> None:
    with pytest.raises(libfal.InvalidArgumentError, match="no key to check"):
        logs.client(anonymous=True).check()
    with pytest.raises(libfal.CredentialsError, match="no fal key found"):
        logs.client().check()
    emulator.fault({"type": "status", "status": 500}, times=None)
    with pytest.raises(libfal.ServiceError):
        emulator.client().check()


def test_a_token_opens_its_apps_and_nothing_else(emulator: Emulator) -> None:
    token = emulator.client().mint_token("emulator/echo", "acme/shared", seconds=60)
    assert token.expires_in == 60
    for app_token in (token, token.text):
        client = emulator.client(key=None, app_token=app_token)
        assert client.run("emulator/echo", {"a": 1})["body"] == {"a": 1}
        used = client.explain().used
        assert used and used.source == "explicit token"
        with pytest.raises((libfal.AuthenticationError, libfal.ForbiddenError), match="from explicit token"):
            client.run("fal-ai/flux/schnell", {"prompt": "a"})
        with pytest.raises(libfal.ForbiddenError):
            client.request("GET", "/v1/models")
    assert libfal.explain(app_token=token).used == libfal.explain(app_token=token.text).used


def test_a_token_needs_sensible_wishes(emulator: Emulator) -> None:
    client = emulator.client()
    with pytest.raises(libfal.InvalidArgumentError, match="apps of a token"):
        client.mint_token()
    for seconds in (0, -1, 3601, 2**62):
        with pytest.raises(libfal.InvalidArgumentError, match=str(seconds)):
            client.mint_token("emulator/echo", seconds=seconds)
    with pytest.raises(TypeError, match="app_token is a str or a libfal.AppToken, not int"):
        logs.client(app_token=7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not bytes"):
        libfal.AppToken(b"fake")  # type: ignore[arg-type]
    assert emulator.arrivals() == []


def test_a_token_shows_only_as_its_text() -> None:
    token = libfal.AppToken("fake-secret-token", 60)
    assert repr(token) == str(token) == "libfal.AppToken('****', expires_in=60)"
    # As a report of an error shows one that is being made.
    assert repr(libfal.AppToken.__new__(libfal.AppToken)) == "libfal.AppToken('****', expires_in=None)"
    assert token.text == "fake-secret-token" and "text" not in getattr(token, "__dict__", {})
    twin = libfal.AppToken("fake-secret-token", 60)
    assert token == twin and hash(token) == hash(twin) and token != libfal.AppToken("fake-secret-token")
    assert token != token.text
    assert copy.copy(token) is token and copy.deepcopy(token) is token
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(token)
    with pytest.raises(AttributeError):
        token.text = "other"  # type: ignore[misc]


def test_a_proxy_holds_the_key(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", "fake-id:fake-secret-not-for-the-proxy")
    client = emulator.client(key=None, proxy="https://app.example/api/fal/proxy")
    made = client.run("fal-ai/flux/schnell", {"prompt": "a", "image_size": "square"})
    outer = [one for one in emulator.arrivals() if one["host"] == "app.example"]
    assert [one["had_key"] for one in outer] == [False]
    client.request("GET", made["images"][0]["url"])
    assert emulator.arrivals()[-1]["host"] == "v3b.fal.media"
    with pytest.raises(libfal.FalClientError, match="the proxy at app.example does not forward"):
        client.request("GET", "/v1/models")
    for bad in ("http://app.example/", "app.example", "https://user:fake-secret@app.example/"):
        with pytest.raises(libfal.InvalidArgumentError) as caught:
            logs.client(proxy=bad)
        assert "fake-secret" not in str(caught.value)


def test_a_client_may_change_its_credential(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    other = emulator.control("POST", "keys", {})
    client = emulator.client()
    under_way = client.run_start("emulator/slow", {"ms": 300})
    emulator.arrivals(wait_for=1)
    client.set_credentials(other["key"])
    assert client.run("emulator/echo", {})["key_id"] == other["key_id"]
    under_way.result()
    client.set_credentials(credential=lambda: emulator.admin_key)
    assert client.run("emulator/echo", {})["key_id"] == emulator.admin_key.partition(":")[0]
    client.set_credentials(app_token=emulator.client().mint_token("emulator/echo"))
    used = client.explain().used
    assert used and used.source == "explicit token"
    client.set_credentials(anonymous=True)
    assert client.run("acme/public", {})["key_id"] is None
    monkeypatch.setenv("FAL_KEY", emulator.api_key)
    client.set_credentials()
    assert client.run("emulator/echo", {})["key_id"] == emulator.key_id
