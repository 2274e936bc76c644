"""Parses the command line of one command. No message repeats what may be a secret."""

from __future__ import annotations

import argparse
import inspect
import textwrap

from ._errors import UsageError
from ._output import looks_like_a_key

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

# Options by which other programs take a key.
_KEY_OPTIONS = {"--key", "--api-key", "--apikey", "--api_key", "--secret", "--key-secret", "--token", "--app-token"}
_PUBLIC = (
    "Other users and the history of the shell have it now: revoke it, and put a new one into FAL_KEY, into a file that FAL_KEY_FILE"
    " names, or into a profile with 'libfal profiles store NAME', which asks for it."
)

# How the usage shows an argument.
_FORMS: dict[int | str | None, str] = {None: "{}", "?": "[{}]", "*": "[{} ...]", "+": "{} [...]"}


def refuse_keys(words: Sequence[str]) -> None:
    """Raises an error if a key is on the command line, which is public."""
    if any(word.partition("=")[0].lower() in _KEY_OPTIONS for word in words):
        raise UsageError("a key is never an argument, because arguments are public", _PUBLIC)
    if any(looks_like_a_key(word) for word in words):
        raise UsageError("an argument looks like a key, and arguments are public", _PUBLIC)


class Parser(argparse.ArgumentParser):
    """The parser of one command, with the options that all have."""

    def __init__(self, name: str, description: str, examples: str) -> None:
        super().__init__(
            prog=name,
            description="\n\n".join(map(_filled, inspect.cleandoc(description).split("\n\n"))),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )
        self._positionals.title, self._optionals.title = "arguments", "options"
        self._examples = "\n".join(f"  {line}" for line in inspect.cleandoc(examples).splitlines())
        every = self.add_argument_group("options of every command")
        every.add_argument("--json", action="store_true", help="print one JSON document on standard output")
        every.add_argument("--profile", metavar="NAME", help="use the stored key of this name")
        every.add_argument("--timeout", metavar="SECONDS", type=_seconds, help="give up after this time")
        every.add_argument("-v", "--verbose", action="store_true", help="print what libfal sends, without secrets")
        every.add_argument("-h", "--help", action="help", help="print this text")

    def explain(self, *texts: str) -> None:
        """Ends the help text with these texts and the examples."""
        self.epilog = "\n\n".join([*texts, f"example:\n{self._examples}"])
        names = [_FORMS[it.nargs].format(it.metavar) for it in self._positionals._group_actions]
        self.usage = " ".join([self.prog, *names, "[OPTION ...]"])

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parses the words. Options may be between the other arguments."""
        args, more = self.parse_known_intermixed_args(words)
        if more:
            # What follows the name of an unknown option may be a secret.
            for word in more:
                if word.startswith("-"):
                    self.error(f"no option is named {word.partition('=')[0] if word.startswith('--') else word[:2]}")
            self.error("too many arguments")
        return args

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"Run '{self.prog} --help' for what it takes.")


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, 80)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return seconds
