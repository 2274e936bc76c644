"""Compares the public interface of fal_client with libfal's, name by name: compare_signatures.py DIFFERENCES

Prints a table. A name of libfal may take more than fal_client's: further keywords, further exceptions below which it is caught. Any
other difference must have a row in the file DIFFERENCES, and every row must be needed.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fal_client
import fal_client.auth
import fal_client.client

import libfal

#: Public names that the package itself does not export, and that programs catch.
ELSEWHERE = {
    "RealtimeError": fal_client.client.RealtimeError,
    "MissingCredentialsError": fal_client.auth.MissingCredentialsError,
}
PROTOCOLS = {"__enter__", "__exit__", "__aenter__", "__aexit__"}
#: An object of each class that has fields.
EXAMPLES = {
    "SyncClient": lambda: libfal.SyncClient(),
    "AsyncClient": lambda: libfal.AsyncClient(),
    "Queued": lambda: libfal.Queued(0),
    "InProgress": lambda: libfal.InProgress(None),
    "Completed": lambda: libfal.Completed(None, {}),
    "FalClientHTTPError": lambda: libfal.FalClientHTTPError("", 400, {}, None),
    "FalClientTimeoutError": lambda: libfal.FalClientTimeoutError(1.5),
    "StorageACL": lambda: libfal.StorageACL(),
    "StorageACLRule": lambda: libfal.StorageACLRule("", "hide"),
    "StorageSettings": lambda: libfal.StorageSettings(),
    "SyncRequestHandle": lambda: libfal.SyncRequestHandle("", "", "", "", libfal.SyncClient()),
    "AsyncRequestHandle": lambda: libfal.AsyncRequestHandle("", "", "", "", libfal.AsyncClient()),
}
MISSING, FIELD = object(), object()


def names() -> Iterator[tuple[str, Any]]:
    """Yields each public name of fal_client and what is there."""
    for name, value in {**vars(fal_client), **ELSEWHERE}.items():
        if name in fal_client.__all__ or not name.startswith("_") and not inspect.ismodule(value):
            yield name, value
            if inspect.isclass(value):
                yield from ((f"{name}.{member}", found) for member, found in members(value))


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yields the methods and the fields."""
    fields = [name for name in getattr(kind, "__match_args__", ()) if not name.startswith("_")]
    yield from ((name, FIELD) for name in fields)
    own = {name for base in kind.__mro__ if base.__module__.startswith("fal_client") for name in vars(base)}
    for name in sorted(own - set(fields)):
        if callable(getattr(kind, name)) and (name in PROTOCOLS or not name.startswith("_")):
            yield name, getattr(kind, name)


def of_libfal(name: str, theirs: Any) -> Any:
    *path, last = name.split(".")
    if theirs is FIELD:
        return FIELD if hasattr(EXAMPLES[path[0]](), last) else MISSING
    return getattr(getattr(libfal, path[0], MISSING) if path else libfal, last, MISSING)


def described(value: Any) -> str:
    if value is MISSING:
        return "missing"
    if value is FIELD:
        return "a field"
    if callable(value):
        kind = "class " if inspect.isclass(value) else "async " if is_awaited(value) else ""
        return kind + str(inspect.Signature(parameters(value)))
    return type(value).__name__


def is_awaited(function: Any) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(function))


def parameters(function: Any) -> list[inspect.Parameter]:
    try:
        found = inspect.signature(function).parameters.values()
    except ValueError:
        return []
    return [parameter.replace(annotation=parameter.empty) for parameter in found]


def errors_above(kind: Any) -> set[str]:
    return {base.__name__ for base in kind.__mro__[1:] if issubclass(base, BaseException)} if inspect.isclass(kind) else set()


def more(name: str, theirs: Any, ours: Any) -> list[str] | None:
    """Returns what libfal has beyond fal_client. `None`: something of fal_client is missing or different."""
    if not callable(theirs) or not callable(ours):
        return [] if type(theirs).__name__ == type(ours).__name__ and ours is not MISSING else None
    if is_awaited(theirs) != is_awaited(ours) or inspect.isclass(theirs) != inspect.isclass(ours):
        return None
    if errors_above(theirs) - errors_above(ours):
        return None
    wanted, found = parameters(theirs), parameters(ours)
    further = found[len(wanted) :]
    is_alike = wanted == found[: len(wanted)] or name.endswith("exit__") and len(wanted) == len(found)
    needed = [it for it in further if it.default is it.empty and it.kind not in (it.VAR_POSITIONAL, it.VAR_KEYWORD)]
    if not is_alike or needed:
        return None
    return [str(parameter) for parameter in further] + [f"below {name}" for name in sorted(errors_above(ours) - errors_above(theirs))]


def main(differences: str) -> int:
    lines = Path(differences).read_text().splitlines()
    known = {line.split("`")[1] for line in lines if line.startswith("| `")}
    different, compared = set(), 0
    for name, theirs in names():
        ours = of_libfal(name, theirs)
        compared += 1
        further = more(name, theirs, ours)
        if further is None:
            different.add(name)
            print(f"{'differs' if name in known else 'WRONG  '} {name}: {described(theirs)} is {described(ours)}")
        else:
            print(f"        {name}: {described(theirs)}" + "".join(f" + {what}" for what in further))
    wrong = sorted(different - known) + sorted(f"{name} (no longer different)" for name in known - different)
    for what in wrong:
        print(f"{differences}: {what}", file=sys.stderr)
    print(f"{compared} names of fal_client, {len(different)} known differences, {len(wrong)} failures")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
