"""Lists the API keys of the account, without their secrets. Needs an ADMIN key."""

from __future__ import annotations

import argparse

from . import _codes
from ._client import client as client_of
from ._output import Output

EXAMPLES = "libfal keys list --profile admin"


def define(parser: argparse.ArgumentParser) -> None:
    pass


def execute(args: argparse.Namespace, out: Output) -> int:
    keys = list(client_of(args, out).platform.keys.list())
    names = "key_id", "scope", "created_at", "alias"
    out.answer(keys, ["  ".join(str(key.get(name) or "-") for name in names) for key in keys])
    return _codes.OK
