"""peer.py CLIENT URL REQUESTS: sends requests with one of the Python clients, one at a time, and prints what they took as JSON.

A single request is the start of a process. The program then does nothing else, and imports nothing else.
"""

import sys

from sent import HEADERS, INPUT, KEY, parts


def libfal(url):
    import libfal

    host, endpoint = parts(url)
    client = libfal.SyncClient(KEY, emulator_host=host)
    return lambda: client.run(endpoint, INPUT)


def fal_client(url):
    import fal_client.client as module

    host, endpoint = parts(url)
    # The client knows https only.
    module.RUN_URL_FORMAT = f"http://{host}/"
    client = module.SyncClient(key=KEY)
    return lambda: client.run(endpoint, INPUT)


def pycurl(url):
    import io
    import json

    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in HEADERS.items()])

    def send():
        buffer = io.BytesIO()
        curl.setopt(pycurl.POSTFIELDS, json.dumps(INPUT))
        curl.setopt(pycurl.WRITEDATA, buffer)
        curl.perform()
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
        return json.loads(buffer.getvalue())

    return send


def primp(url):
    import json

    import primp

    client = primp.Client()
    return lambda: json.loads(client.post(url, headers=HEADERS, content=json.dumps(INPUT).encode()).content)


def pyreqwest(url):
    from pyreqwest.client import SyncClientBuilder

    client = SyncClientBuilder().build()
    return lambda: client.post(url).headers(HEADERS).body_json(INPUT).build().send().json()


def httpx(url):
    import httpx

    client = httpx.Client()
    return lambda: client.post(url, headers=HEADERS, json=INPUT).json()


def requests(url):
    import requests

    session = requests.Session()
    return lambda: session.post(url, headers=HEADERS, json=INPUT).json()


def raw(url):
    import json
    import socket

    host, path = parts(url)
    body = json.dumps(INPUT).encode()
    address, port = host.split(":")
    connection = socket.create_connection((address, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    request = f"POST /{path} HTTP/1.1\r\nhost: {host}\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body

    def send():
        connection.sendall(request)
        got = connection.recv(65536)
        return json.loads(got.split(b"\r\n\r\n", 1)[1])

    return send


def one_at_a_time(send, requests):
    import time

    from measure import cpu, report

    for _ in range(20):
        assert len(send()["text"]) > 100
    took, begun, cpu_begun = [], time.perf_counter(), cpu()
    for _ in range(requests):
        start = time.perf_counter()
        send()
        took.append(time.perf_counter() - start)
    report(took, time.perf_counter() - begun, cpu() - cpu_begun)


def main():
    client, url, requests = sys.argv[1], sys.argv[2], int(sys.argv[3])
    send = globals()[client](url)
    if requests == 1:
        send()
    else:
        one_at_a_time(send, requests)


if __name__ == "__main__":
    main()
