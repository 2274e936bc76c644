"""The command line: finds the command, imports its module alone, runs it, and turns its end into an exit code."""

from __future__ import annotations

import sys
from importlib import import_module

from . import _codes, _help
from ._errors import Terminated, UsageError, report
from ._output import Closed, Output
from ._parser import Parser, refuse_keys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from types import ModuleType

_HELP = {"-h", "--help"}


def main(words: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    words = sys.argv[1:] if words is None else words
    out = Output("--json" in words)
    try:
        code = _run(words, out)
        out.close()
        return code
    except Closed:
        return _codes.BROKEN_PIPE
    except BaseException as error:
        try:
            return report(error, out)
        except Closed:
            return _codes.BROKEN_PIPE


def _run(words: list[str], out: Output) -> int:
    refuse_keys(words)
    _listen_to_the_end()
    before, rest = _split(words)
    if rest[:1] == ["help"]:
        before, rest = ["--help"], rest[1:]
    if not rest:
        return _without_command(before, out)
    wants_help = not _HELP.isdisjoint([*before, *rest])
    if wants_help and _help.is_group(rest[0]) and " ".join(rest[:2]) not in _help.COMMANDS:
        out.text(_help.group(rest[0]))
        return _codes.OK
    name, rest = _named(rest)
    command = import_module(f".{name.replace(' ', '_')}", __name__)
    parser = _parser(name, command, rest)
    if wants_help:
        out.text(parser.format_help())
        return _codes.OK
    code: int = command.execute(parser.parse([*before, *rest]), out)
    return code


def _parser(name: str, command: ModuleType, words: list[str]) -> Parser:
    parser = Parser(f"libfal {name}", command.__doc__ or "", command.EXAMPLES)
    command.define(parser)
    parser.explain(*(command.notes(words) if hasattr(command, "notes") else ()))
    return parser


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Returns the options before the command, and the rest."""
    position = 0
    while position < len(words) and words[position].startswith("-"):
        position += 2 if words[position] in ("--profile", "--timeout") else 1
    return words[:position], words[position:]


def _named(words: list[str]) -> tuple[str, list[str]]:
    """Returns the name of the command, which is one word or two, and the words after it."""
    two = " ".join(words[:2])
    if two in _help.ALIASES:
        return _help.ALIASES[two], words[2:]
    if two in _help.COMMANDS:
        return two, words[2:]
    if words[0] in _help.COMMANDS:
        return words[0], words[1:]
    raise UsageError(*_help.unknown(words))


def _without_command(options: list[str], out: Output) -> int:
    if "--version" in options:
        from .. import __version__

        out.line(f"libfal {__version__}")
        return _codes.OK
    if _HELP.intersection(options):
        out.text(_help.overview())
        return _codes.OK
    raise UsageError("a command is missing", "Run 'libfal --help' for the list.")


def _listen_to_the_end() -> None:
    """Lets the signals that end a program cancel what it does, as Ctrl-C does."""
    import signal

    def end(number: int, _frame: object) -> None:
        raise Terminated(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # A program that was started with nohup ignores SIGHUP.
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)
