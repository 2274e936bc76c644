"""Shows the pictures, videos and sounds of a result in a notebook."""

from __future__ import annotations

import sys

from ._response import Response
from ._typing import imported

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any
else:
    from ._typing import Any, Iterator

_KINDS = {"image": "Image", "video": "Video", "audio": "Audio"}
"""The classes of IPython.display by the first part of a content type."""
_MOST = 200
"""The values inside each other that are searched."""
_SHOWN = 80
"""The characters of a data URL that are printed."""


def show(result: Any) -> None:
    """Show each picture, video and sound of a result. Nothing is downloaded: the browser loads the URLs.

    In a Jupyter notebook, they appear below the cell, in the order of the result. Elsewhere, their URLs are printed, one a line. A URL
    counts if its object has the content type of a picture, video or sound, or else if it ends in such an extension.

    Args:
        result: What run(), subscribe() or result() returned, or a part of it.
    """
    found = dict.fromkeys(_files(result.json() if isinstance(result, Response) else result))
    display = imported("IPython.display") if _is_notebook() else None
    for url, kind in found:
        if display:
            display.display(getattr(display, _KINDS[kind])(url=url))
        else:
            print(url if not url.startswith("data:") or len(url) <= _SHOWN else f"{url[:_SHOWN]}…")


def _files(result: Any) -> Iterator[tuple[str, str]]:
    """Finds the URLs in a result and their kinds. No URL can end an attribute of HTML, or control a terminal."""
    # A stack, because a result may be deep.
    left = [(result, 0)]
    while left:
        value, depth = left.pop()
        if isinstance(value, str):
            kind = _kind_of_url(value)
            if kind:
                yield _quoted(value), kind
        elif isinstance(value, dict):
            kind = _kind_of_type(value.get("content_type"))
            url = value.get("url")
            if kind and isinstance(url, str) and _is_url(url):
                yield _quoted(url), kind
                value = {name: part for name, part in value.items() if name != "url"}
            left.extend((part, depth + 1) for part in reversed(list(value.values())) if depth < _MOST)
        elif isinstance(value, (list, tuple)):
            left.extend((part, depth + 1) for part in reversed(value) if depth < _MOST)


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://")) or _kind_of_data(text) is not None


def _kind_of_url(text: str) -> str | None:
    if text.startswith("data:"):
        return _kind_of_data(text)
    if not _is_url(text) or any(part.isspace() for part in text):
        return None
    path = text.partition("?")[0].partition("#")[0]
    return _kind_of_type(imported("mimetypes").guess_type("/" + path.rpartition("/")[2], strict=False)[0])


def _kind_of_data(text: str) -> str | None:
    return _kind_of_type(text[5:20]) if text.startswith("data:") else None


def _kind_of_type(content_type: object) -> str | None:
    kind = content_type.partition("/")[0].lower() if isinstance(content_type, str) else ""
    return kind if kind in _KINDS else None


def _quoted(url: str) -> str:
    return "".join(f"%{ord(char):02X}" if char in "\"'<>`\\" or char <= " " or "\x7f" <= char <= "\x9f" else char for char in url)


def _is_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


# So that help() uses the public name.
show.__module__ = "libfal"
