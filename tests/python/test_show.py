"""Results in a notebook and in a terminal."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from libfal import _show

RESULT = {
    "images": [{"url": "https://example.com/a?id=1", "content_type": "image/png"}, {"url": "https://example.com/b.webp"}],
    "video": {"url": "https://example.com/c.mp4?x=\"><script>\x1b[31m"},
    "audio_url": "https://example.com/d.mp3#t=1",
    "again": ("https://example.com/b.webp", None, 5),
    "page": "https://example.com/e.html",
    "archive": {"url": "https://example.com/f.zip", "content_type": "application/zip"},
    "script": {"url": "javascript:alert(1)", "content_type": "image/png"},
    "prompt": "like https://example.com/g.png",
    "seed": 7,
    "mask": {"file": {"url": "https://example.com/h", "content_type": "image/jpeg", "mask_url": "https://example.com/i.png"}},
}
FOUND = [
    ("Image", "https://example.com/a?id=1"),
    ("Image", "https://example.com/b.webp"),
    ("Video", "https://example.com/c.mp4?x=%22%3E%3Cscript%3E%1B[31m"),
    ("Audio", "https://example.com/d.mp3#t=1"),
    ("Image", "https://example.com/h"),
    ("Image", "https://example.com/i.png"),
]


def test_elsewhere_the_urls_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _show.show(RESULT)
    assert capsys.readouterr().out.splitlines() == [url for _, url in FOUND]
    several: list[Any] = [{}, [], None, "text", {"url": 5, "content_type": "image/png"}, {"content_type": ["image/png"], "url": None}]
    for nothing in several:
        _show.show(nothing)
    assert capsys.readouterr().out == ""


def test_a_notebook_shows_each_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[tuple[str, str]] = []
    display: Any = types.ModuleType("IPython.display")
    for kind in ("Image", "Video", "Audio"):
        setattr(display, kind, lambda url, kind=kind: (kind, url))
    display.display = shown.append
    shell = types.SimpleNamespace(kernel=object())
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython, ipython.display = lambda: shell, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    _show.show(RESULT)
    assert shown == FOUND and capsys.readouterr().out == ""
    # The terminal of IPython has no kernel.
    del shell.kernel
    _show.show(RESULT["audio_url"])
    assert shown == FOUND and capsys.readouterr().out == "https://example.com/d.mp3#t=1\n"


def test_a_data_url_is_shortened_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _show.show({"image": "data:image/png;base64," + "A" * 5000, "text": "data:text/html,<b>"})
    assert capsys.readouterr().out == "data:image/png;base64," + "A" * 58 + "…\n"


def test_a_deep_result_is_searched_within_limits(capsys: pytest.CaptureFixture[str]) -> None:
    circle: list[Any] = ["https://example.com/a.png"]
    circle.append(circle)
    deep: Any = "https://example.com/b.png"
    for _ in range(100_000):
        deep = [deep]
    _show.show([circle, deep, "https://example.com/c.png"])
    assert capsys.readouterr().out.split() == ["https://example.com/a.png", "https://example.com/c.png"]
