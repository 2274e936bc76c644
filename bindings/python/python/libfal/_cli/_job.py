"""What the commands about models share: arguments, progress, and the names of states."""

from __future__ import annotations

import argparse

from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    import libfal

# The states as fal names them, by the classes of libfal. Another class has the name itself.
_NAMES = {"Queued": "IN_QUEUE", "InProgress": "IN_PROGRESS", "Completed": "COMPLETED"}


def define_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the model, such as fal-ai/flux/schnell")
    parser.add_argument("fields", metavar="KEY=VALUE", nargs="*", default=[], help="the input, see below")


def define_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the model of the job, such as fal-ai/flux/schnell")
    parser.add_argument("request_id", metavar="ID", help="the id that 'libfal submit' printed")


def facts(status: libfal.Status) -> dict[str, Any]:
    """Returns a state as fal writes it."""
    values = {"queue_position" if name == "position" else name: value for name, value in vars(status).items()}
    return {"status": _NAMES.get(type(status).__name__), **values}


def message(entry: Any) -> str:
    """Returns the text of a line of a log."""
    return str(entry["message"] if isinstance(entry, dict) and "message" in entry else entry)


class Watch:
    """Shows a call on standard error: its place in the queue and its files on a terminal, and its log."""

    def __init__(self, out: Output, logs: bool) -> None:
        self._out = out
        self._logs = logs
        self._lines = 0
        self.request_id: str | None = None

    @property
    def wants_logs(self) -> bool:
        return self._logs or self._out.shows_progress

    def enqueued(self, request_id: str) -> None:
        self.request_id = request_id
        self._out.progress(f"job {request_id}")

    def updated(self, status: libfal.Status) -> None:
        known = facts(status)
        lines = known.get("logs") or []
        for entry in lines[self._lines :]:
            self._out.note(f"log: {message(entry)}")
        self._lines = max(self._lines, len(lines))
        position = known.get("queue_position")
        where = f", {position} before it" if position else ""
        self._out.progress(f"job {self.request_id or ''}: {known['status']}{where}")

    def progressed(self, transferred: int, total: int | None) -> None:
        self._out.progress(transfer("files", transferred, total))


def transfer(what: str, transferred: int, total: int | None) -> str:
    share = f"{100 * transferred // total} % of {_size(total)}" if total else _size(transferred)
    return f"{what}: {share}"


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 1e5 else f"{number} bytes"
