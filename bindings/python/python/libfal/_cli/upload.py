"""Uploads files to fal, and prints the URL of each on a line of its own."""

from __future__ import annotations

import argparse
import mimetypes
import sys
from pathlib import Path

from . import _codes
from ._client import client as client_of
from ._errors import UsageError
from ._job import transfer
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    import libfal

EXAMPLES = """
libfal upload photo.png mask.png
convert photo.tiff png:- | libfal upload - --name photo.png
"""
_TIMES = "never", "immediate", "1h", "1d", "7d", "30d", "1y"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file; - is standard input, which needs --name")
    parser.add_argument("--name", help="the name of what is read from standard input, such as photo.png")
    parser.add_argument("--expires-in", metavar="TIME", choices=_TIMES, help=f"when fal deletes the files: {', '.join(_TIMES)}")


def execute(args: argparse.Namespace, out: Output) -> int:
    for name in args.files:
        if name != "-" and not Path(name).is_file():
            raise UsageError(f"{name!r} is no file")
    if args.files.count("-") > 1:
        raise UsageError("there is only one standard input", "Write - once.")
    if "-" in args.files and args.name is None:
        raise UsageError("- needs --name", "Add the name that the file shall have: --name photo.png.")
    if "-" not in args.files and args.name is not None:
        raise UsageError("--name is the name of standard input", "Write - for it, or leave --name out.")
    client = client_of(args, out)
    made = []
    for name in args.files:
        made.append({"file": name, "url": _uploaded(client, args, name, out)})
        if not out.json:
            out.line(made[-1]["url"])
    if out.json:
        out.document(made)
    return _codes.OK


def _uploaded(client: libfal.SyncClient, args: argparse.Namespace, name: str, out: Output) -> str:
    from .. import StorageSettings

    def progress(transferred: int, total: int | None) -> None:
        out.progress(transfer(args.name if name == "-" else name, transferred, total))

    lifecycle = StorageSettings(expires_in=args.expires_in) if args.expires_in else None
    if name != "-":
        return client.upload_file(Path(name), lifecycle=lifecycle, on_progress=progress)
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    kind = mimetypes.guess_type(args.name)[0] or "application/octet-stream"
    return client.upload(sys.stdin.buffer.read(), kind, args.name, lifecycle=lifecycle, on_progress=progress)
