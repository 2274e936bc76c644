"""Reports the progress of a transfer to a function, or as a bar."""

from __future__ import annotations

import sys
import time

from ._errors import failed
from ._typing import imported
from ._values import maybe_function

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, Optional

    from ._errors import FalClientError

    _OnProgress = Callable[[int, Optional[int]], object]
    """A function that gets the transferred bytes and all bytes. All is None if it is not known."""

_PAUSE = 0.1
"""The seconds between two drawings of a bar."""


class Shown:
    """What a call tells its progress: the function of the program and, if asked for, a bar."""

    def __init__(self, on_progress: _OnProgress | None, progress: bool, what: str) -> None:
        """Raises before anything is sent."""
        self._function = maybe_function("on_progress", on_progress)
        self._bar = _bar(what) if progress else None

    def tell(self, transferred: int, total: int | None) -> object:
        """Returns what the function returns, because the caller may have to await it."""
        if self._bar:
            try:
                self._bar.draw(transferred, total)
            except (OSError, ValueError):
                # Standard error is closed. The call goes on.
                self._bar = None
        return None if self._function is None else self._function(transferred, total)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar:
            with imported("contextlib").suppress(OSError, ValueError):
                self._bar.close()


def _bar(what: str) -> _Tqdm | _Rich | None:
    for module, cls in (("tqdm.auto", _Tqdm), ("rich.progress", _Rich)):
        try:
            found = imported(module)
        except ImportError:
            continue
        # A program without a console has no standard error.
        return cls(found, what) if sys.stderr else None
    raise _missing()


def _missing() -> FalClientError:
    remedy = "Run `pip install tqdm`, or pass on_progress instead of progress=True."
    return failed("FAL_E_INVALID_ARGUMENT", "cannot show the progress: neither tqdm nor rich is installed", remedy=remedy)


class _Tqdm:
    """A bar of tqdm, in a terminal or a notebook. It is made when the size is known."""

    def __init__(self, module: Any, what: str) -> None:
        self._make = module.tqdm
        self._what = what
        self._bar: Any = None

    def draw(self, transferred: int, total: int | None) -> None:
        if self._bar is None:
            self._bar = self._make(total=total, desc=self._what, unit="B", unit_scale=True, unit_divisor=1024)
        self._bar.total = total
        self._bar.update(transferred - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Rich:
    """A bar of rich. It is drawn by this thread, so that no other one is needed."""

    def __init__(self, module: Any, what: str) -> None:
        columns = ["{task.description}", module.BarColumn(), module.DownloadColumn(), module.TransferSpeedColumn()]
        # By default, a console ends the program if its output is no longer read.
        quiet = type("Console", (imported("rich.console").Console,), {"on_broken_pipe": _fail})
        console = quiet(stderr=True)
        self._progress = module.Progress(*columns, console=console, auto_refresh=False)
        self._what = what
        self._task: Any = None
        self._next = 0.0

    def draw(self, transferred: int, total: int | None) -> None:
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task(self._what, total=total)
        now = time.monotonic()
        drawn = now >= self._next or transferred == total
        self._next = now + _PAUSE if drawn else self._next
        self._progress.update(self._task, completed=transferred, total=total, refresh=drawn)

    def close(self) -> None:
        if self._task is not None:
            self._progress.stop()


def _fail(_console: object) -> NoReturn:
    raise BrokenPipeError
