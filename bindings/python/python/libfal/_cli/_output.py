"""Standard output and standard error."""

from __future__ import annotations

import os
import re
import sys
import threading

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# Characters by which a text from elsewhere could control a terminal, or show something that it is not.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# A key, and a token.
_SECRET = re.compile(r"[\w-]{4,}:[\w-]{16,}|\beyJ[\w-]{8,}\.[\w.-]+")


class Closed(Exception):
    """The reader of standard output went away."""


class OutputError(Exception):
    """Standard output cannot be written."""


def masked(text: str) -> str:
    """Returns a text of the command line without what may be a secret."""
    return _SECRET.sub("****", text)


def looks_like_a_key(text: str) -> bool:
    return _SECRET.fullmatch(text) is not None


def _harmless(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


class Output:
    """Where a command writes. Its threads may write at the same time."""

    def __init__(self, json: bool) -> None:
        self.json = json
        self._lock = threading.RLock()
        # Whether a person reads standard output.
        self.is_terminal = sys.stdout is not None and sys.stdout.isatty()
        self.shows_progress = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = 0
        self._has_document = False

    @property
    def is_unicode(self) -> bool:
        """Whether standard output takes every character."""
        return _encoding().lower().replace("-", "").startswith("utf")

    def answer(self, document: Any, lines: Iterable[str]) -> None:
        """Prints what the command found: the document with --json, else the lines."""
        if self.json:
            self.document(document)
        else:
            for line in lines:
                self.line(line)

    def document(self, value: Any) -> None:
        """Prints a JSON document: on one line with --json, else for people."""
        import json

        self._has_document = True
        indent = None if self.json else 2
        text = json.dumps(value, ensure_ascii=False, indent=indent)
        try:
            text.encode(_encoding())
        except UnicodeEncodeError:
            text = json.dumps(value, indent=indent)
        self.line(text)

    def line(self, text: str) -> None:
        self.text(f"{text}\n")

    def text(self, text: str) -> None:
        self.data(_encoded(_harmless(text) if self.is_terminal else text))

    def data(self, data: bytes) -> None:
        """Writes bytes to standard output."""
        with self._lock:
            self.progress("")
            if sys.stdout is None:
                raise OutputError("cannot write to standard output: it is closed")
            try:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                _drop_output()
                raise Closed from None
            except OSError as error:
                _drop_output()
                raise OutputError(f"cannot write to standard output: {error.strerror}") from None

    def note(self, text: str) -> None:
        """Prints a line for people to standard error."""
        self._complain(f"{_harmless(text)}\n")

    def progress(self, text: str) -> None:
        """Replaces the line of progress, if standard error is a terminal."""
        if self.shows_progress:
            with self._lock:
                cut = _harmless(text)[: _columns() - 1]
                if cut or self._shown:
                    self._write(f"\r{cut:<{self._shown}}" + ("" if cut else "\r"))
                self._shown = len(cut)

    def error(self, message: str, remedy: str, more: str, document: dict[str, Any]) -> None:
        """Prints an error: for people, and with --json as the document, if there is none yet."""
        self.note("\n".join(filter(None, [f"error: {message}", remedy and f"do:    {remedy}", more.rstrip("\n")])))
        if self.json and not self._has_document and sys.stdout is not None:
            try:
                self.document({"error": document})
            except OutputError:
                pass

    def close(self) -> None:
        """Ends the line of progress, and makes sure that all output was written."""
        self.data(b"")

    def _complain(self, text: str) -> None:
        with self._lock:
            self.progress("")
            self._write(text)

    def _write(self, text: str) -> None:
        # A complaint that cannot be written has no reader.
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            pass


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def _encoded(text: str) -> bytes:
    """Encodes a text for standard output. A file name keeps its bytes; what the encoding lacks is escaped."""
    try:
        return text.encode(_encoding(), "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(_encoding(), "backslashreplace")


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _drop_output() -> None:
    """Lets the interpreter flush at its end without another error."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        pass
