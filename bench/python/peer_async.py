"""peer_async.py CLIENT URL REQUESTS IN_FLIGHT: sends requests with one of the Python clients in asyncio, IN_FLIGHT at a time, and
prints what they took as JSON."""

import asyncio
import json
import os
import sys
import time

from measure import cpu, report
from sent import HEADERS, INPUT, KEY, parts


async def libfal(url):
    import libfal

    host, endpoint = parts(url)
    client = libfal.AsyncClient(KEY, emulator_host=host)
    return lambda: client.run(endpoint, INPUT), None


async def aiohttp(url):
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def send():
        async with session.post(url, headers=HEADERS, json=INPUT) as response:
            return await response.json()

    return send, session.close


async def primp(url):
    import primp

    client = primp.AsyncClient()

    async def send():
        response = await client.post(url, headers=HEADERS, content=json.dumps(INPUT).encode())
        return json.loads(response.content)

    return send, None


async def pyreqwest(url):
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().build()

    async def send():
        response = await client.post(url).headers(HEADERS).body_json(INPUT).build().send()
        return await response.json()

    return send, client.close


async def httpx(url):
    import httpx

    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None))

    async def send():
        return (await client.post(url, headers=HEADERS, json=INPUT)).json()

    return send, client.aclose


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
    asyncio.run(many(globals()[client], url, requests, in_flight))
    # pyreqwest may abort while Python ends.
    sys.stdout.flush()
    os._exit(0)


main()
