"""Puts a job into fal's queue, and prints its id without waiting for the job."""

from __future__ import annotations

import argparse

from . import _codes, _fields, _job
from ._client import client as client_of
from ._output import Output

EXAMPLES = """
id=$(libfal submit fal-ai/flux/dev prompt="a lighthouse")
libfal result fal-ai/flux/dev "$id" --out pictures
"""


def notes(_words: list[str]) -> tuple[str, ...]:
    return (_fields.RULE,)


def define(parser: argparse.ArgumentParser) -> None:
    _job.define_input(parser)
    parser.add_argument("--webhook", metavar="URL", help="the address that fal calls when the job has ended")
    parser.add_argument("--priority", choices=("normal", "low"), help="the place in the queue")


def execute(args: argparse.Namespace, out: Output) -> int:
    arguments = _fields.arguments(args.fields, out)
    watch = _job.Watch(out, False)
    handle = client_of(args, out).submit(
        args.model, arguments, webhook_url=args.webhook, priority=args.priority, on_progress=watch.progressed
    )
    names = "request_id", "response_url", "status_url", "cancel_url"
    out.answer({name: getattr(handle, name) for name in names}, [handle.request_id])
    return _codes.OK
