"""Makes the client of a command."""

from __future__ import annotations

import argparse

import re

import libfal

from .._base import DEFAULT_TIMEOUT
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any


def client(args: argparse.Namespace, out: Output, **options: Any) -> libfal.SyncClient:
    """Returns a client with the options that every command has, and with others, which take precedence."""
    every: dict[str, Any] = {
        "profile": args.profile,
        "default_timeout": args.timeout or DEFAULT_TIMEOUT,
        "user_agent": "libfal-command",
        "log": (lambda level, line: out.note(f"{level}: {_without_pages(line)}")) if args.verbose else None,
        "log_level": "debug",
    }
    return libfal.SyncClient(**{**every, **options})


def _without_pages(line: str) -> str:
    """Returns a line of the log without the page that explains it: a user of the command has only the command."""
    return re.sub(r" \(docs/[^)]*\)", "", line)
