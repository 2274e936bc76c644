"""Waits for the end of a job and prints its result as JSON.

Ctrl-C ends the wait, and leaves the job alone. A result can be read again until fal deletes it.
"""

from __future__ import annotations

import argparse

import libfal

from . import _job, _results
from ._client import client as client_of
from ._output import Output

EXAMPLES = "libfal result fal-ai/flux/dev 764cabcf-b745-4b3e-ae38-1200304cf45b --out pictures"


def define(parser: argparse.ArgumentParser) -> None:
    _job.define_job(parser)
    _results.define(parser)


def execute(args: argparse.Namespace, out: Output) -> int:
    _results.prepare(args.out)
    client = client_of(args, out)
    out.progress(f"waiting for job {args.request_id}")
    try:
        result = client.result(args.model, args.request_id)
    except libfal.DecodeError as error:
        raise _results.unreadable(error, args.model, args.request_id)
    return _results.show(client, result, args.out, "Run the same command again.", out)
