"""Saves files under the names that their servers give, and prints the paths. No key is sent to another host.

A file appears when it is complete. None is replaced: a name that exists gets a number.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path

from . import _codes
from ._client import client as client_of
from ._errors import UsageError
from ._job import transfer
from ._output import Output
from ._results import fetch, made, place_of

EXAMPLES = """
libfal download https://v3b.fal.media/files/b/example/picture.png
libfal download https://v3b.fal.media/files/b/example/picture.png --out lighthouse.png
"""


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("urls", metavar="URL", nargs="+", help="an https URL, or a data: URI")
    parser.add_argument("--out", metavar="PATH", help="a folder, which several URLs need; for one also the path of the file, or - for standard output")
    parser.add_argument("--force", action="store_true", help="replace the file that --out names")


def execute(args: argparse.Namespace, out: Output) -> int:
    target = "." if args.out is None else args.out
    several = len(args.urls) > 1
    if several and (target == "-" or Path(target).is_file()):
        raise UsageError("--out must be a folder, because there are several URLs")
    if target == "-" and out.is_terminal:
        raise UsageError("standard output is a terminal", "Write --out PATH, or lead the output into a file.")
    if target == "-" and out.json:
        raise UsageError("standard output cannot have both the file and a JSON document")
    if args.force and (target == "-" or Path(target).is_dir()):
        raise UsageError("--force needs the path of a file in --out")
    client = client_of(args, out)

    def progress(transferred: int, total: int | None) -> None:
        out.progress(transfer("download", transferred, total))

    if target == "-":
        data = fetch(client, args.urls[0], None, on_progress=progress, timeout=args.timeout)
        assert isinstance(data, bytes)
        out.data(data)
        return _codes.OK
    paths = []
    with made(Path(target)) if several else nullcontext():
        for url in args.urls:
            saved = fetch(client, url, target, overwrite=args.force, on_progress=progress, timeout=args.timeout)
            paths.append(str(place_of(saved, Path(target))))
            if not out.json:
                out.line(paths[-1])
    if out.json:
        out.document([{"url": url, "path": path} for url, path in zip(args.urls, paths)])
    return _codes.OK
