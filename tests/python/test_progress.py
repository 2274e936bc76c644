"""What a call tells about its progress: a function, and a bar of tqdm or rich."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from typing import Any

import pytest

import libfal
from libfal._progress import Shown


class Absent:
    """Makes modules as if they were not installed."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        if name.partition(".")[0] in self._names:
            raise ImportError(name)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Any:
    def forget(*names: str) -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in names:
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [Absent(*names), *sys.meta_path])

    return forget


def test_a_function_is_told_directly() -> None:
    told_of: list[int] = []

    def told(transferred: int, _total: int | None) -> None:
        told_of.append(transferred)

    shown = Shown(told, False, "uploading")
    assert shown.tell(1, 2) is None and shown.tell(2, 2) is None and told_of == [1, 2]
    with pytest.raises(TypeError, match="on_progress must be a callable, not int"):
        Shown(5, False, "uploading")  # type: ignore[arg-type]


@pytest.mark.parametrize(("library", "other"), [("tqdm", "rich"), ("rich", "tqdm")])
def test_a_bar_is_drawn(library: str, other: str, absent: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(library)
    absent(other)
    told: list[tuple[int, int | None]] = []
    with closing(Shown(lambda *facts: told.append(facts), True, "uploading")) as shown:
        for transferred in (0, 500_000, 250_000, 1_000_000):
            shown.tell(transferred, 1_000_000)
    assert told == [(0, 10**6), (500_000, 10**6), (250_000, 10**6), (10**6, 10**6)]
    printed = capsys.readouterr()
    assert printed.out == "" and "uploading" in printed.err and ("977k/977k" in printed.err or "1.0/1.0 MB" in printed.err)
    with closing(Shown(None, True, "downloading")) as shown:
        shown.tell(5, None)
    assert "downloading" in capsys.readouterr().err
    with closing(Shown(None, True, "nothing")):
        pass
    assert capsys.readouterr().err == ""


def test_what_the_function_returns_can_be_awaited() -> None:
    pytest.importorskip("tqdm")

    async def told(_transferred: int, _total: int | None) -> None: ...

    with closing(Shown(told, True, "uploading")) as shown:
        awaited: Any = shown.tell(1, 2)
        assert hasattr(awaited, "__await__")
        awaited.close()


def test_without_a_library_the_remedy_is_told(absent: Any) -> None:
    absent("tqdm", "rich")
    with pytest.raises(libfal.InvalidArgumentError, match="neither tqdm nor rich is installed") as caught:
        Shown(None, True, "uploading")
    assert caught.value.remedy == "Run `pip install tqdm`, or pass on_progress instead of progress=True."


@pytest.mark.parametrize("library", ["tqdm", "rich"])
def test_a_broken_standard_error_breaks_no_call(library: str, absent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(library)
    absent("rich" if library == "tqdm" else "tqdm")

    class Broken(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Broken())
    told: list[int] = []
    with closing(Shown(lambda transferred, _: told.append(transferred), True, "uploading")) as shown:
        shown.tell(1, 2)
        shown.tell(2, 2)
    assert told == [1, 2]
    monkeypatch.setattr(sys, "stderr", None)
    Shown(None, True, "uploading").tell(1, 2)


def test_an_error_of_the_function_is_raised(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")

    def told(_transferred: int, _total: int | None) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"), closing(Shown(told, True, "uploading")) as shown:
        shown.tell(1, 2)
    assert "uploading" in capsys.readouterr().err
