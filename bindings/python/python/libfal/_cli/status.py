"""Prints where a job is: IN_QUEUE and how many are before it, IN_PROGRESS, or COMPLETED.

COMPLETED says that the job has ended, not that it succeeded: 'libfal result' shows that.
"""

from __future__ import annotations

import argparse

from . import _codes, _job
from ._client import client as client_of
from ._output import Output

EXAMPLES = "libfal status fal-ai/flux/dev 764cabcf-b745-4b3e-ae38-1200304cf45b"


def define(parser: argparse.ArgumentParser) -> None:
    _job.define_job(parser)
    parser.add_argument("--logs", action="store_true", help="print the job's log, too")


def execute(args: argparse.Namespace, out: Output) -> int:
    known = _job.facts(client_of(args, out).status(args.model, args.request_id, with_logs=args.logs))
    position = known.get("queue_position")
    lines = [known["status"] + (f", {position} before it" if position is not None else "")]
    if known.get("error"):
        lines.append(f"error: {known['error']}")
    lines += [f"log: {_job.message(entry)}" for entry in known.get("logs") or []]
    out.answer(known, lines)
    return _codes.OK
