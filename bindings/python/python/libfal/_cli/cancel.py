"""Cancels a job. A job that runs may finish all the same, if its model does not stop."""

from __future__ import annotations

import argparse

from . import _codes, _job
from ._client import client as client_of
from ._output import Output

EXAMPLES = "libfal cancel fal-ai/flux/dev 764cabcf-b745-4b3e-ae38-1200304cf45b"


def define(parser: argparse.ArgumentParser) -> None:
    _job.define_job(parser)


def execute(args: argparse.Namespace, out: Output) -> int:
    client_of(args, out).cancel(args.model, args.request_id)
    out.answer({"request_id": args.request_id, "cancelled": True}, ["fal was asked to cancel the job"])
    return _codes.OK
