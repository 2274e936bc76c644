"""Asks fal whether it accepts the key, what its scope is and whose it is. Costs nothing.

The exit code is 3 if fal refuses the key, or the account is locked.
"""

from __future__ import annotations

import argparse

from . import _codes
from ._client import client as client_of
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    import libfal

EXAMPLES = "libfal check"


def define(parser: argparse.ArgumentParser) -> None:
    pass


def execute(args: argparse.Namespace, out: Output) -> int:
    check = client_of(args, out).check()
    out.answer(facts(check), lines(check))
    return _codes.OK if check.accepted and check.locked is None else _codes.CREDENTIALS


def facts(check: libfal.Check) -> dict[str, object]:
    return {name: getattr(check, name) for name in ("accepted", "scope", "account", "locked", "key_id", "source")}


def lines(check: libfal.Check) -> list[str]:
    rows = {
        "key": f"{check.key_id or '-'}, from {check.source or '-'}",
        "accepted": "yes" if check.accepted else "no: create another key at https://fal.ai/dashboard/keys",
        "scope": check.scope or "unknown",
        "account": check.account or "unknown",
        "locked": check.locked,
    }
    return [f"{name + ':':<10}{text}" for name, text in rows.items() if text is not None]
