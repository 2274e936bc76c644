"""A fal that does what a test tells it to, for every host and over TLS.

`HostileFal` is an HTTP proxy. A client that has its variables reaches it as https://fal.run, https://queue.fal.run, and also as
https://elsewhere.example, a host that is not fal's. Each request goes to the function of the test, whose reply is sent.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ELSEWHERE = "elsewhere.example"
NAMES = ["fal.run", "*.fal.run", "fal.ai", "*.fal.ai", "*.fal.media", "falrun.com", "*.falrun.com", "storage.googleapis.com", ELSEWHERE]
#: A longer body is counted, not kept.
KEPT = 1 << 20


@dataclass
class Request:
    connection: int
    host: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    length: int
    #: What the client sends while it waits for the reply can be seen here.
    socket: socket.socket = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def line(self) -> str:
        return f"{self.method} {self.host}{self.path}"

    def until_closed(self) -> None:
        """Waits until the client has closed the connection."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except OSError:
            pass


def reply(body: object = None, status: int = 200, content_type: str = "application/json", **headers: str) -> bytes:
    """Returns the bytes of a response. A body that is not bytes or text is sent as JSON."""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def events(text: str) -> bytes:
    return reply(text, content_type="text/event-stream")


class Authority:
    """A certificate authority for one run of the tests, and a certificate for all names."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "ca.pem"
        certificate, key = folder / "names.pem", folder / "names.key"
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        authority = [*new, "-subj", "/CN=hostile", "-keyout", folder / "ca.key", "-out", self.file]
        signed = [*new, "-subj", "/CN=names", "-keyout", key, "-out", certificate, "-CA", self.file, "-CAkey", folder / "ca.key"]
        signed += ["-addext", "basicConstraints=critical,CA:FALSE"]
        signed += ["-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES)]
        for command in (authority, signed):
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)


class HostileFal:
    """Call `answer` with each request on a thread of its connection, and send the bytes that it returns. None closes the connection."""

    def __init__(self, authority: Authority, answer: Callable[[Request], bytes | None]) -> None:
        self._authority = authority
        self._answer = answer
        self._changed = threading.Condition()
        self._open: list[socket.socket] = []
        self.arrivals: list[Request] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        proxy = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        return {"HTTPS_PROXY": proxy, "https_proxy": proxy, "SSL_CERT_FILE": str(self._authority.file)}

    def lines(self) -> list[str]:
        """Returns method, host and path of each request that arrived."""
        return [arrival.line for arrival in self.arrivals]

    def has_arrived(self, count: int, method: str = "", seconds: float = 30) -> bool:
        """Waits until `count` requests have arrived. Returns whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: self.count(method) >= count, seconds)

    def count(self, method: str = "") -> int:
        return sum(arrival.method == method for arrival in self.arrivals) if method else len(self.arrivals)

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self) -> None:
        for number in range(1 << 30):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(number, connection), daemon=True).start()

    def _serve(self, number: int, connection: socket.socket) -> None:
        try:
            head = _head(connection.recv)
            host = head.split()[1].rpartition(":")[0] if head else ""
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with self._authority.context.wrap_socket(connection, server_side=True) as tls:
                while self._exchange(number, host, tls):
                    pass
        except OSError:
            connection.close()

    def _exchange(self, number: int, host: str, tls: ssl.SSLSocket) -> bool:
        head = _head(tls.recv)
        if not head:
            return False
        first, *rest = head.split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
        body, length = _body(tls, headers)
        url = urlsplit(target)
        request = Request(number, host, method, url.path, url.query, headers, body, length, tls)
        with self._changed:
            self.arrivals.append(request)
            self._changed.notify_all()
        answer = self._answer(request)
        if answer is None:
            return False
        tls.sendall(answer)
        return True


def _head(receive: Callable[[int], bytes]) -> str:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = receive(1)
        if not byte:
            return ""
        head += byte
    return head.decode("latin-1")


def _body(tls: ssl.SSLSocket, headers: dict[str, str]) -> tuple[bytes, int]:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(tls)
    length = int(headers.get("content-length", 0))
    return _exactly(tls, length), length


def _exactly(tls: ssl.SSLSocket, length: int) -> bytes:
    kept, left = bytearray(), length
    while left:
        piece = tls.recv(min(left, 1 << 16))
        if not piece:
            raise ConnectionError("the body ended early")
        left -= len(piece)
        if length <= KEPT:
            kept += piece
    return bytes(kept)


def _chunks(tls: ssl.SSLSocket) -> tuple[bytes, int]:
    kept = b""
    while True:
        size = int(_line(tls), 16)
        kept += _exactly(tls, size)
        _line(tls)
        if not size:
            return kept, len(kept)


def _line(tls: ssl.SSLSocket) -> bytes:
    line = b""
    while not line.endswith(b"\r\n"):
        line += _exactly(tls, 1)
    return line
