"""Creates an API key, and stores it or prints it. fal shows its secret only once. Needs an ADMIN key.

With --store the secret is written to fal's configuration file, and nothing prints it. Without, it is printed if standard output is
a terminal, or with --show-secret.
"""

from __future__ import annotations

import argparse

from . import _change, _codes
from ._client import client as client_of
from ._errors import UsageError
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    import libfal

EXAMPLES = """
libfal keys create "build server" --store ci --profile admin
libfal keys create "build server" --show-secret --profile admin > key.txt
"""


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alias", metavar="ALIAS", help="a name by which you know the key, 1 to 255 characters")
    parser.add_argument("--store", metavar="NAME", help="store the key as 'libfal profiles store NAME' does")
    parser.add_argument("--use", action="store_true", help="with --store: make it the key that programs use")
    parser.add_argument("--replace", action="store_true", help="with --store: replace the key that the name has")
    parser.add_argument("--show-secret", action="store_true", help="print the secret, also if the output is no terminal")


def execute(args: argparse.Namespace, out: Output) -> int:
    if args.store is None and (args.use or args.replace):
        raise UsageError("--use and --replace go with --store")
    if args.store is None and not args.show_secret and (out.json or not out.is_terminal):
        raise UsageError("the secret of the key would be lost, so no key was created", "Add --store NAME, or --show-secret.")
    if args.store is not None:
        _change.refuse_another(args.store, args.replace)
    client = client_of(args, out)
    key = client.create_key(args.alias)
    document: dict[str, object] = {"key_id": key.id, "alias": args.alias, "stored_in": None}
    lines: list[str] = []
    name: str | None = args.store
    change: libfal.Change | None = None
    if name is not None:
        change = _stored(client, key, args, out)
        document["stored_in"] = change.path
        lines.append(f"created {key.id}, and stored it as {name!r} in {change.path}")
    if name is None or args.show_secret:
        document["key"] = key.secret()
        lines.append(key.secret())
    out.answer(document, lines)
    if name is not None and change is not None and change.active != name:
        _change.note_use(name, change.active, out)
    if name is None and out.is_terminal:
        out.note("note: fal shows this key only once; 'libfal profiles store NAME' keeps it")
    return _codes.OK


def _stored(client: libfal.SyncClient, key: libfal.NewKey, args: argparse.Namespace, out: Output) -> libfal.Change:
    """Stores the key. A key that cannot be stored is revoked, because nothing has its secret."""
    try:
        return key.store(args.store, activate=args.use)
    except BaseException:
        out.note(f"the key {key.id} was created and cannot be stored; it is revoked")
        client.revoke_key(key.id)
        raise
