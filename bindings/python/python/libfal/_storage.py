"""How long fal keeps an uploaded file and who may read it, where files are uploaded to, and files as data URLs."""

from __future__ import annotations

import sys

from . import _media
from ._errors import DecodeError, NotFoundError, ProtocolError, RateLimitedError, RedirectError, ServiceError, TransportError
from ._typing import fill, imported
from ._values import _Path, dumps, maybe_text, path as path_text, text

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from dataclasses import dataclass
    from typing import Any, Literal, Union

    from _typeshed import ReadableBuffer
    from PIL.Image import Image

    StorageACLDecision = Literal["hide", "forbid", "allow"]
    ObjectExpiration = Union[Literal["never", "immediate", "1h", "1d", "7d", "30d", "1y"], int]
    _Repository = Literal["fal_v3", "cdn", "fal"]
else:
    from _collections_abc import Sequence

    from ._typing import Any, ReadableBuffer, dataclass

    Image = object
    StorageACLDecision = _Repository = str
    ObjectExpiration = int | str if sys.version_info >= (3, 10) else object

_DECISIONS = ("hide", "forbid", "allow")
_TIMES = ("never", "immediate", "1h", "1d", "7d", "30d", "1y")
_WAYS = {"fal_v3": "automatic", "fal": "signed_google"}
"""The ways of the core to the repositories."""
_UNAVAILABLE = (DecodeError, NotFoundError, ProtocolError, RateLimitedError, RedirectError, ServiceError, TransportError)


@dataclass(frozen=True)
class StorageACLRule:
    """Whether one user may read a file.

    Args:
        user: The user's nickname. fal ignores users that it does not know.
        decision: "allow"; "forbid" (403); or "hide", which makes the file appear not to exist (404).

    Raises:
        ValueError: The decision is none of these.
    """

    user: str
    """The user's nickname."""
    decision: StorageACLDecision
    """"allow", "forbid" or "hide"."""

    def __init__(self, user: str, decision: StorageACLDecision) -> None:
        _check_decision(decision)
        fill(self, locals())


@dataclass(frozen=True)
class StorageACL:
    """Who may read a file. Its owner always may.

    Args:
        default: The decision for every user without a rule. By default that of the account.
        rules: The rules for single users. They need a default.

    Raises:
        ValueError: A decision is not "allow", "forbid" or "hide".
    """

    default: StorageACLDecision | None = None
    """The decision for every user without a rule."""
    rules: list[StorageACLRule] | None = None
    """The rules for single users."""

    def __init__(self, default: StorageACLDecision | None = None, rules: list[StorageACLRule] | None = None) -> None:
        if default is not None:
            _check_decision(default)
        fill(self, locals())

    def __hash__(self) -> int:
        return hash((self.default, None if self.rules is None else tuple(self.rules)))


@dataclass(frozen=True)
class StorageSettings:
    """How long fal keeps a file, and who may read it. The account's settings hold for what is not set.

    Args:
        expires_in: "immediate" (a minute), "1h", "1d", "7d", "30d", "1y", a number of seconds, or "never", which leaves the time to the
            account's settings.
        initial_acl: Who may read the file.

    Raises:
        ValueError: The time is none of these.
    """

    expires_in: ObjectExpiration | None = None
    """How long fal keeps the file."""
    initial_acl: StorageACL | None = None
    """Who may read the file."""

    def __init__(self, expires_in: ObjectExpiration | None = None, initial_acl: StorageACL | None = None) -> None:
        _check_time(expires_in)
        fill(self, locals())


def _check_decision(decision: object) -> None:
    if decision not in _DECISIONS:
        raise ValueError(f"decision must be allow, forbid or hide, not {decision!r}")


def _check_time(time: object) -> None:
    # The beginnings are those of the official client.
    if isinstance(time, bool):
        raise ValueError("Boolean values are not valid lifecycle expires_in values: a number of seconds is an int")
    if isinstance(time, int):
        if time <= 0:
            raise ValueError(f"Integer lifecycle expires_in value must be greater than 0 seconds, not {time}")
    elif time is not None and time not in _TIMES:
        raise ValueError(f"Unsupported lifecycle expires_in value {time!r}: it must be {', '.join(_TIMES)} or a number of seconds")


def encode(data: str | ReadableBuffer, content_type: str) -> str:
    """Encode data as a data URL.

    Args:
        data: Bytes, or text, which is encoded as UTF-8.
        content_type: The content type, such as "image/png".
    """
    content = data.encode() if isinstance(data, str) else data
    return f"data:{text('content_type', content_type)};base64,{_media.base64(content).decode()}"


def encode_file(path: _Path) -> str:
    """Encode a file as a data URL. The content type follows from the extension.

    Args:
        path: The file.
    """
    with open(path, "rb") as file:
        return encode(file.read(), _media.type_of_name(path_text("path", path) or "") or "application/octet-stream")


def encode_image(image: Image | Any, format: str = "jpeg") -> str:
    """Encode an image as a data URL. An image that JPEG cannot hold, such as one with transparency, becomes a PNG.

    Args:
        image: A PIL image, or a numpy array with the shape of an image, which becomes a PNG.
        format: The format, such as "png".
    """
    return encode(*_media.encoded(image, text("format", format)))


def upload_options(
    *,
    data: str | ReadableBuffer | Any = None,
    path: _Path | None = None,
    image: Image | Any = None,
    format: str = "jpeg",
    content_type: str | None = None,
    file_name: str | None = None,
    repository: _Repository | None = None,
    fallback_repository: _Repository | Sequence[_Repository] | None = None,
    lifecycle: StorageSettings | None = None,
) -> list[dict[str, object]]:
    """Returns an upload for each repository, in the order in which they are tried: see falls_back()."""
    names = _repositories(repository, fallback_repository)
    given = {"content_type": maybe_text("content_type", content_type), "file_name": maybe_text("file_name", file_name)}
    upload = {
        **_content(data, path, image, format),
        **{name: value for name, value in given.items() if value is not None},
        **_lifecycle(lifecycle),
    }
    _media.check_file(upload)
    return [{**upload, "way": _WAYS[name]} for name in names]


def falls_back(error: BaseException) -> bool:
    """Whether another repository may take a file that this error kept from being stored."""
    return isinstance(error, _UNAVAILABLE)


def _content(data: Any, path: _Path | None, image: Image | Any, format: str) -> dict[str, object]:
    if path is not None:
        found = path_text("path", path) or ""
        return _media.made(path=found, content_type=_media.type_of_name(found))
    if image is not None:
        content, kind = _media.encoded(image, text("format", format))
        return _media.made(data=content, content_type=kind)
    if isinstance(data, str):
        return _media.made(data=text("data", data).encode())
    upload = _media.upload(data) or _media.open_file(data)
    if upload is None:
        raise TypeError(f"data must be bytes, a str, an open file or a path, not {type(data).__name__}")
    return upload


def _lifecycle(lifecycle: StorageSettings | None) -> dict[str, object]:
    if lifecycle is None:
        return {}
    if not isinstance(lifecycle, StorageSettings):
        raise TypeError(f"lifecycle must be a libfal.StorageSettings, not {type(lifecycle).__name__}")
    options: dict[str, object] = {}
    if lifecycle.expires_in is not None:
        options["expires_in"] = str(lifecycle.expires_in)
    acl = lifecycle.initial_acl
    if acl is not None and acl.default is not None:
        options["access"] = acl.default
    if acl is not None and acl.rules:
        options["rules"] = dumps([(rule.user, rule.decision) for rule in acl.rules])
    return options


def _repositories(
    repository: _Repository | None, fallback_repository: _Repository | Sequence[_Repository] | None
) -> list[str]:
    later = ["fal"] if fallback_repository is None else fallback_repository
    names = [repository or "fal_v3", *([later] if isinstance(later, str) else later)]
    for name in names:
        if name == "cdn":
            _warn('the repository "cdn" is deprecated; use "fal_v3", which it stands for')
        elif name not in _WAYS:
            raise ValueError(f"Unsupported upload repository {name!r}: it must be fal_v3 or fal")
    return list(dict.fromkeys("fal_v3" if name == "cdn" else name for name in names))


def _warn(message: str) -> None:
    """Warns about the line outside of this package that made the call."""
    level, frame = 2, sys._getframe(1)
    while frame.f_globals.get("__name__", "").partition(".")[0] == "libfal" and frame.f_back:
        level, frame = level + 1, frame.f_back
    imported("warnings").warn(message, DeprecationWarning, stacklevel=level)


# So that repr() and pickle use the public name.
for _public in (StorageACLRule, StorageACL, StorageSettings, encode, encode_file, encode_image):
    _public.__module__ = "libfal"
