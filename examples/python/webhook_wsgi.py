"""Receives webhooks in a WSGI application, such as one of gunicorn: gunicorn webhook_wsgi:application

fal posts to it when a job of submit(…, webhook_url="https://example.com/webhook") has ended. Here it runs alone:

    python webhook_wsgi.py 8000
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import make_server

import libfal

MOST = 10 << 20
"""The bytes of a body that is read."""


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size > MOST:
        return respond(start_response, "413 Content Too Large")
    # The bytes as they arrived: fal signed them.
    body = environ["wsgi.input"].read(size)
    try:
        delivery = libfal.webhooks.verify(environ, body)
    except libfal.WebhookInvalidError:
        return respond(start_response, "401 Unauthorized")
    except libfal.FalClientError:
        # fal's keys cannot be fetched. fal tries again later.
        return respond(start_response, "503 Service Unavailable")
    handle(delivery)
    return respond(start_response, "204 No Content")


def handle(delivery: libfal.webhooks.Delivery) -> None:
    """Called once or more for each job. Long work belongs into a queue of your own, because fal waits 15 seconds."""
    failure = delivery.failure()
    print(f"{delivery.request_id}: {failure.message if failure else delivery.payload}", flush=True)


def respond(start_response: Callable[..., Any], status: str) -> Iterable[bytes]:
    start_response(status, [("Content-Length", "0")])
    return []


if __name__ == "__main__":
    with make_server("127.0.0.1", int(sys.argv[1]), application) as server:
        print(f"listening on port {server.server_port}", flush=True)
        server.serve_forever()
