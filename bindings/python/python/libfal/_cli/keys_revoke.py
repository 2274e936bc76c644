"""Revokes an API key at once and for good: fal refuses every call with it. Needs an ADMIN key."""

from __future__ import annotations

import argparse

from . import _codes
from ._client import client as client_of
from ._errors import CommandError
from ._output import Output

EXAMPLES = "libfal keys revoke 12345678-1234-1234-1234-123456789abc --profile admin"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the id of the key, which 'libfal keys list' shows; not its secret")
    parser.add_argument("--allow-own", action="store_true", help="also revoke the key that this command uses")


def execute(args: argparse.Namespace, out: Output) -> int:
    client = client_of(args, out)
    # fal answers for an unknown id as for a key that it has revoked.
    if all(key["key_id"] != args.id for key in client.platform.keys.list()):
        raise CommandError(f"the account has no key {args.id!r}", "'libfal keys list' shows the ids.", "FAL_E_NOT_FOUND")
    client.revoke_key(args.id, allow_own=args.allow_own)
    out.answer({"key_id": args.id, "revoked": True}, [f"revoked {args.id}"])
    return _codes.OK
