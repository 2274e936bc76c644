"""Runs a model, waits, and prints its result as JSON.

The call waits in fal's queue. Ctrl-C cancels it, also at fal. On a terminal, standard error shows its place in the queue and its log.
"""

from __future__ import annotations

import argparse

import libfal

from . import _fields, _job, _results
from ._client import client as client_of
from ._errors import Terminated
from ._output import Output

EXAMPLES = """
libfal run fal-ai/flux/schnell prompt="a lighthouse" image_size.width=512
libfal run fal-ai/flux/schnell @input.json seed=7 --out pictures
"""


def notes(_words: list[str]) -> tuple[str, ...]:
    return (_fields.RULE,)


def define(parser: argparse.ArgumentParser) -> None:
    _job.define_input(parser)
    _results.define(parser)
    parser.add_argument("--logs", action="store_true", help="print the model's log to standard error, also if it is no terminal")
    parser.add_argument("--direct", action="store_true", help="call the model without the queue: for models that answer in seconds")
    parser.add_argument("--priority", choices=("normal", "low"), help="the place in the queue")


def execute(args: argparse.Namespace, out: Output) -> int:
    arguments = _fields.arguments(args.fields, out)
    _results.prepare(args.out)
    client = client_of(args, out)
    watch = _job.Watch(out, args.logs)
    try:
        if args.direct:
            result = client.run(args.model, arguments, timeout=args.timeout, on_progress=watch.progressed)
        else:
            result = client.subscribe(
                args.model,
                arguments,
                with_logs=watch.wants_logs,
                priority=args.priority,
                client_timeout=args.timeout,
                on_enqueue=watch.enqueued,
                on_queue_update=watch.updated,
                on_progress=watch.progressed,
            )
    except libfal.DecodeError as error:
        raise _results.unreadable(error, args.model, watch.request_id)
    except (KeyboardInterrupt, Terminated):
        out.note("the call is cancelled" + (f"; fal was asked to cancel job {watch.request_id}" if watch.request_id else ""))
        raise
    again = "Their URLs are above; 'libfal download URL' saves one of them."
    if watch.request_id:
        again = f"'libfal result {args.model} {watch.request_id} --out FOLDER' fetches the files again; the model does not run again."
    return _results.show(client, result, args.out, again, out)
