"""peer.py CLIENT URL REQUESTS IN_FLIGHT: sends requests with one of the Python clients, and prints what they took as JSON.

A client whose name begins with "async-" has IN_FLIGHT requests under way at once; the others send one at a time.
"""

import asyncio
import json
import os
import resource
import sys
import time

INPUT = {"prompt": "a lighthouse at dusk", "num_images": 1}
BODY = json.dumps(INPUT).encode()
KEY = "fake-id:fake-secret-of-the-benchmark"
HEADERS = {"authorization": f"Key {KEY}", "content-type": "application/json"}


def libfal(url):
    import libfal

    host, endpoint = url.removeprefix("http://").split("/", 1)
    client = libfal.Client(key=KEY, hosts={"emulator": host})
    return lambda: client.run(endpoint, INPUT)


def fal_client(url):
    host, endpoint = url.removeprefix("http://").split("/", 1)
    os.environ["FAL_RUN_HOST"] = host
    import fal_client.client as module

    # The client knows https only.
    module.RUN_URL_FORMAT = f"http://{host}/"
    client = module.SyncClient(key=KEY)
    return lambda: client.run(endpoint, INPUT)


def pycurl(url):
    import io

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
    import socket

    host, path = url.removeprefix("http://").split("/", 1)
    address, port = host.split(":")
    connection = socket.create_connection((address, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    request = f"POST /{path} HTTP/1.1\r\nhost: {host}\r\n{head}content-length: {len(BODY)}\r\n\r\n".encode() + BODY

    def send():
        connection.sendall(request)
        got = connection.recv(65536)
        head, body = got.split(b"\r\n\r\n", 1)
        return json.loads(body)

    return send


async def async_aiohttp(url):
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def send():
        async with session.post(url, headers=HEADERS, json=INPUT) as response:
            return await response.json()

    return send, session.close


async def async_primp(url):
    import primp

    client = primp.AsyncClient()

    async def send():
        response = await client.post(url, headers=HEADERS, content=json.dumps(INPUT).encode())
        return json.loads(response.content)

    return send, None


async def async_pyreqwest(url):
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().build()

    async def send():
        response = await client.post(url).headers(HEADERS).body_json(INPUT).build().send()
        return await response.json()

    return send, client.close


async def async_httpx(url):
    import httpx

    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))

    async def send():
        return (await client.post(url, headers=HEADERS, json=INPUT)).json()

    return send, client.aclose


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def report(took, seconds, cpu_seconds):
    took.sort()
    at = lambda part: took[int((len(took) - 1) * part)] * 1e6  # noqa: E731
    print(
        json.dumps(
            {
                "requests": len(took),
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
                "median_us": at(0.5),
                "p95_us": at(0.95),
            }
        )
    )


def one_at_a_time(send, requests):
    for _ in range(20):
        assert len(send()["text"]) > 100
    took, begun, cpu_begun = [], time.perf_counter(), cpu()
    for _ in range(requests):
        start = time.perf_counter()
        send()
        took.append(time.perf_counter() - start)
    report(took, time.perf_counter() - begun, cpu() - cpu_begun)


async def many(make, url, requests, in_flight):
    send, close = await make(url)

    async def lane(count, took):
        for _ in range(count):
            start = time.perf_counter()
            answer = await send()
            took.append(time.perf_counter() - start)
            assert len(answer["text"]) > 100

    await asyncio.gather(*(lane(4, []) for _ in range(in_flight)))
    took, begun, cpu_begun = [], time.perf_counter(), cpu()
    await asyncio.gather(*(lane(requests // in_flight, took) for _ in range(in_flight)))
    report(took, time.perf_counter() - begun, cpu() - cpu_begun)
    if close:
        await close()


def main():
    client, url, requests, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    make = globals()[client.replace("-", "_")]
    if client.startswith("async-"):
        asyncio.run(many(make, url, requests, in_flight))
    else:
        one_at_a_time(make(url), requests)


main()
