"""Prints a result, and saves the files that it names."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from . import _codes
from ._errors import Terminated, UsageError
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import libfal

_FILE_HOST = re.compile(r"(.+\.)?fal\.media|storage\.googleapis\.com")


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        help="save the files of the result in this folder, and print their paths instead of the result; "
        "with --json: {\"result\", \"files\"}. No file is replaced",
    )


def prepare(folder: Path | None) -> None:
    """Raises an error if the folder cannot be made or written, before anything is paid for."""
    if folder is None:
        return
    try:
        there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(f"cannot save files in {str(folder)!r}: {error.strerror}", "Choose another folder.") from None


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Makes the folder, and removes it again if nothing is saved in it."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            for path in new:
                path.rmdir()


def fetch(client: libfal.SyncClient, url: str, target: str | Path | None, **options: Any) -> bytes | Path:
    """Downloads a file. An error says what a user of the command can do."""
    from .. import ForeignOriginError, NotFoundError

    try:
        return client.download(url, target, **options)
    except NotFoundError as error:
        error.remedy = "Check the URL: fal deletes a file when its time is over."
        raise
    except ForeignOriginError as error:
        if url.startswith("http:"):
            error.remedy = "Write https:// in the place of http://."
        raise


def unreadable(error: libfal.DecodeError, model: str, request_id: str | None) -> libfal.DecodeError:
    """Completes the error about a result that is not JSON."""
    error.request_id = error.request_id or request_id
    error.remedy = "Run the model without --direct: the error then has the id of the job, which leads to the result."
    if request_id:
        error.remedy = f"Read the bytes in Python: libfal.SyncClient().with_raw_response.result({model!r}, {request_id!r}).content."
    return error


def show(client: libfal.SyncClient, result: Any, folder: Path | None, again: str, out: Output) -> int:
    """Prints a result, or saves its files. Returns the exit code. again is the command that repeats this for nothing."""
    if folder is None:
        out.document(result)
        return _codes.OK
    found = list(files_of(result))
    try:
        with made(folder) if found else contextlib.nullcontext():
            files = [_saved(client, pointer, url, folder, out) for pointer, url in found]
    except (KeyboardInterrupt, Terminated):
        out.note(f"the result is there, its files are not\ndo:    {again}")
        raise
    failed = [file for file in files if file["path"] is None]
    if not files:
        out.note("note: the result names no file; it is printed instead")
        out.document({"result": result, "files": []} if out.json else result)
        return _codes.OK
    out.answer({"result": result, "files": files}, [file["path"] for file in files if file["path"]])
    if failed:
        out.note(f"error: {len(failed)} of {len(files)} files are missing\ndo:    {again}")
    return _codes.FAILED if failed else _codes.OK


def _saved(client: libfal.SyncClient, pointer: str, url: str, folder: Path, out: Output) -> dict[str, Any]:
    from .. import FalClientError
    from ._job import transfer

    def progress(transferred: int, total: int | None) -> None:
        out.progress(transfer(pointer, transferred, total))

    shown = url if url.startswith("https:") else "data:"
    try:
        saved = fetch(client, url, folder, on_progress=progress)
    except (FalClientError, OSError) as error:
        out.note(f"error: cannot save {pointer} of the result: {error}")
        return {"pointer": pointer, "url": shown, "path": None}
    return {"pointer": pointer, "url": shown, "path": str(place_of(saved, folder))}


def place_of(saved: bytes | Path, target: Path) -> Path:
    """Returns the path of a download. libfal returns one in Unicode, which the name of a folder may not be."""
    return target / saved.name if isinstance(saved, Path) and target.is_dir() else target


def files_of(result: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Yields the place and the URL of each file, without repetitions: of fal's file hosts, of an object with a content type, and in the
    text itself ("data:").
    """
    seen = set()
    for place, url in _urls(result, pointer, False):
        if url not in seen:
            seen.add(url)
            yield place, url


def _urls(value: Any, pointer: str, described: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            is_described = name == "url" and "content_type" in value
            yield from _urls(member, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", is_described)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _urls(member, f"{pointer}/{index}", False)
    elif isinstance(value, str) and (_is_file(value) or described and value.startswith("https://")):
        yield pointer, value


def _is_file(text: str) -> bool:
    if text.startswith("data:"):
        return re.match(r"data:[\w.+-]+/[\w.+-]+(;[^,]*)?,", text) is not None
    if not text.startswith("https://"):
        return False
    try:
        return _FILE_HOST.fullmatch(urlsplit(text).hostname or "") is not None
    except ValueError:
        return False
