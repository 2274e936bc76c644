"""Receives webhooks on 127.0.0.1, verifies that each is from fal, and prints it as JSON on standard output. For development.

fal reaches no address of your own computer: lead a public https address here with a tunnel, and submit with that address. With
--json each delivery is a document on a line of its own. A delivery that is not from fal is refused, and reported on standard error.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

import libfal.webhooks

from . import _codes
from ._client import client as client_of
from ._errors import CommandError
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

EXAMPLES = """
libfal webhook listen --port 8787
libfal submit fal-ai/flux/dev prompt="a cat" --webhook https://my-tunnel.example.com/
"""
# How many seconds a request may take to arrive, and to be verified. fal waits for 15.
_PATIENCE = 10.0
_LONGEST = 64 << 20
_STEP = 0.1


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_number, default=8787, help="the port, by default 8787; 0 is any free one")
    parser.add_argument("--count", metavar="NUMBER", type=_number, help="end after this many deliveries")


def execute(args: argparse.Namespace, out: Output) -> int:
    try:
        server = _Server(args.port, client_of(args, out, default_timeout=_PATIENCE), out)
    except OSError as error:
        raise CommandError(f"cannot listen at port {args.port}: {error.strerror}", "Choose another --port; 0 is any free one.", "FAL_E_IO")
    with server:
        threading.Thread(target=server.serve_forever, args=(_STEP,), daemon=True).start()
        try:
            out.note(f"listening at http://127.0.0.1:{server.server_port}/")
            _print(server.deliveries, args, out)
        except KeyboardInterrupt:
            # The end that is meant.
            return _codes.INTERRUPTED
        finally:
            server.shutdown()
    return _codes.OK


def _print(deliveries: queue.Queue[bytes], args: argparse.Namespace, out: Output) -> None:
    end = time.monotonic() + args.timeout if args.timeout else None
    printed = 0
    while args.count is None or printed < args.count:
        if end is not None and time.monotonic() >= end:
            raise CommandError(f"{printed} deliveries arrived in {args.timeout:g} s", "", "FAL_E_DEADLINE")
        try:
            out.document(json.loads(deliveries.get(timeout=_STEP)))
            printed += 1
        except queue.Empty:
            pass


class _Server(ThreadingHTTPServer):
    """Verifies each request on a thread of its own, and keeps those that are from fal."""

    def __init__(self, port: int, client: libfal.SyncClient, out: Output) -> None:
        self.client = client
        self.out = out
        self.deliveries: queue.Queue[bytes] = queue.Queue()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # The method of HTTPServer asks the network for a name.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Reports a defect. A sender that goes away is none."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.out.note(f"error: a defect in the command line: {type(error).__name__}: {error}")

    def status_for(self, headers: list[tuple[str, str]], body: bytes) -> int:
        """Returns the HTTP status that answers a request."""
        try:
            libfal.webhooks.verify(headers, body, client=self.client)
        except libfal.WebhookInvalidError as error:
            self.out.note(f"refused: {error.message}")
            return 401
        except libfal.FalClientError as error:
            self.out.note(f"cannot verify a delivery, which fal will repeat: {error.message}")
            return 503
        self.deliveries.put(body)
        return 200


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            self._answer(411)
        elif int(length) > _LONGEST:
            self._answer(413)
        else:
            body = self._body(int(length))
            server: Any = self.server
            if body is not None:
                self._answer(server.status_for(self.headers.items(), body))

    def _body(self, length: int) -> bytes | None:
        """Reads the body; None if it does not arrive in time."""
        end = time.monotonic() + _PATIENCE
        body = bytearray()
        while len(body) < length:
            part = self.rfile.read1(min(length - len(body), 1 << 16))
            if not part or time.monotonic() > end:
                return None
            body += part
        return bytes(body)

    def do_GET(self) -> None:
        self._answer(405, b"This is 'libfal webhook listen': it takes the webhooks that fal sends with POST.\n")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what is no request that this server knows."""
        self._answer(code)

    def _answer(self, status: int, text: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)
