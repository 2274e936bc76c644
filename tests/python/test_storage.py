"""Where files go, how long fal keeps them, and files as data URLs."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import pathlib
from typing import Any

import pytest

import libfal
from libfal import _storage
from libfal._storage import StorageACL, StorageACLRule, StorageSettings


def test_settings_are_compared_hashed_and_shown_by_their_values() -> None:
    def settings() -> StorageSettings:
        return StorageSettings("1h", StorageACL("forbid", [StorageACLRule("alice", "allow")]))

    one, other = settings(), settings()
    assert one == other and hash(one) == hash(other) and one != StorageSettings("1h")
    rule = "StorageACLRule(user='alice', decision='allow')"
    assert repr(one) == f"StorageSettings(expires_in='1h', initial_acl=StorageACL(default='forbid', rules=[{rule}]))"
    assert dataclasses.replace(one, expires_in=5) == StorageSettings(expires_in=5, initial_acl=one.initial_acl)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.expires_in = "1d"  # type: ignore[misc]
    assert StorageSettings.__module__ == StorageACL.__module__ == StorageACLRule.__module__ == "libfal"


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (True, "Boolean values are not valid lifecycle expires_in values"), (0, "must be greater than 0 seconds, not 0"),
        (-1, "must be greater than 0 seconds, not -1"), ("2h", "Unsupported lifecycle expires_in value '2h'"), (1.5, "Unsupported"), ("", "Unsupp"),
    ],
)  # fmt: skip
def test_times_are_checked_at_once(time: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StorageSettings(expires_in=time)


def test_decisions_are_checked_at_once() -> None:
    for make in (lambda: StorageACL("maybe"), lambda: StorageACLRule("alice", "")):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="decision must be allow, forbid or hide, not "):
            make()


def ways(*names: Any) -> list[object]:
    return [made["way"] for made in _storage.upload_options(data=b"x", repository=names[0], fallback_repository=names[1])]


def test_repositories_are_tried_in_order() -> None:
    assert ways(None, None) == ways("fal_v3", "fal") == ["automatic", "signed_google"]
    assert ways("fal", ["fal", "fal_v3"]) == ["signed_google", "automatic"]
    assert ways("fal", []) == ways("fal", None) == ["signed_google"]
    for wrong in (("s3", []), (None, "s3"), ("fal", ["s3"])):
        with pytest.raises(ValueError, match="Unsupported upload repository 's3'"):
            ways(*wrong)


def test_the_old_repository_warns_where_it_is_used() -> None:
    with pytest.warns(DeprecationWarning, match='"cdn" is deprecated; use "fal_v3"') as warned:
        assert ways("cdn", ["fal_v3"]) == ["automatic"]
    assert warned[0].filename == __file__


def test_only_a_repository_that_fails_is_replaced() -> None:
    for error in (libfal.ServiceError(), libfal.TransportError(), libfal.ProtocolError(), libfal.RateLimitedError()):
        assert _storage.falls_back(error)
    for other in (libfal.InvalidArgumentError(), libfal.AuthenticationError(), libfal.CancelledError(), OSError()):
        assert not _storage.falls_back(other)


def test_options_are_those_of_the_core(tmp_path: pathlib.Path) -> None:
    settings = StorageSettings(3600, StorageACL("hide", [StorageACLRule("jürgen", "allow")]))
    [made] = _storage.upload_options(
        data="é", content_type="text/plain", file_name="a.txt", fallback_repository=[], lifecycle=settings
    )
    assert made == {
        "data": "é".encode(), "content_type": "text/plain", "file_name": "a.txt", "way": "automatic",
        "expires_in": "3600", "access": "hide", "rules": '[["jürgen","allow"]]'.encode(),
    }  # fmt: skip
    path = tmp_path / "a.webp"
    path.touch()
    [made] = _storage.upload_options(path=path, fallback_repository=[], lifecycle=StorageSettings())
    assert made == {"path": str(path), "content_type": "image/webp", "way": "automatic"}
    [made] = _storage.upload_options(data=path, content_type="image/x-own", fallback_repository=[])
    assert made == {"path": str(path), "content_type": "image/x-own", "way": "automatic"}
    [made] = _storage.upload_options(data=io.BytesIO(b"GIF89a"), fallback_repository=[])
    assert made == {"data": b"GIF89a", "content_type": "image/gif", "way": "automatic"}
    for wrong, named in ((5, "int"), ([b"x"], "list"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"data must be bytes, a str, an open file or a path, not {named}"):
            _storage.upload_options(data=wrong)
    with pytest.raises(TypeError, match="lifecycle must be a libfal.StorageSettings, not dict"):
        _storage.upload_options(data=b"", lifecycle={"expires_in": "1h"})  # type: ignore[arg-type]


def test_data_urls(tmp_path: pathlib.Path) -> None:
    data = bytes(range(256)) * 3
    for content in (data, bytearray(data), memoryview(data)):
        assert _storage.encode(content, "a/b") == "data:a/b;base64," + base64.b64encode(data).decode()
    assert _storage.encode("é", "text/plain") == "data:text/plain;base64,w6k="
    for name, kind in (("a.json", "application/json"), ("a", "application/octet-stream"), ("a.webp", "image/webp")):
        path = tmp_path / name
        path.write_bytes(data)
        assert _storage.encode_file(path) == _storage.encode_file(str(path)) == _storage.encode(data, kind)
    with pytest.raises(FileNotFoundError):
        _storage.encode_file(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        _storage.encode_file(tmp_path)
    assert json.dumps(_storage.encode(b"", "a/b")) == '"data:a/b;base64,"'
