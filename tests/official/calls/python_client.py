"""Makes the compared calls with fal_client: `python_client.py sync|async NAME FOLDER` prints the outcome as JSON.

The variables of `fal-emulator serve` direct it to the emulator. FOLDER contains the files to upload.
"""

import asyncio
import hashlib
import json
import sys
from pathlib import Path

import fal_client
import httpx

from inputs import ECHO, EVENTS, JOB, LONG_JOB, SMALL


def sync_run(client, _):
    return client.run("emulator/echo", ECHO)["body"]


def sync_run_refused(client, _):
    try:
        client.run("emulator/fail/image_too_large", {})
    except fal_client.client.FalClientHTTPError as error:
        return error.status_code


def sync_submit(client, _):
    handle = client.submit("emulator/job", JOB, priority="low", hint="lefty", start_timeout=30)
    return handle.get()


def sync_status(client, _):
    handle = client.submit("emulator/job", JOB)
    status = client.status("emulator/job", handle.request_id, with_logs=True)
    while not isinstance(status, fal_client.Completed):
        status = client.status("emulator/job", handle.request_id, with_logs=True)
    return [log["message"] for log in status.logs]


def sync_iter_events(client, _):
    handle = client.submit("emulator/job", JOB)
    last = list(handle.iter_events(with_logs=True))[-1]
    return [log["message"] for log in last.logs]


def sync_subscribe(client, _):
    logs = []

    def seen(status):
        for log in getattr(status, "logs", None) or []:
            if log["message"] not in logs:
                logs.append(log["message"])

    result = client.subscribe("emulator/job", JOB, with_logs=True, on_queue_update=seen)
    return {"result": result, "logs": logs}


def sync_cancel(client, _):
    handle = client.submit("emulator/job", LONG_JOB)
    handle.cancel()
    return "cancelled"


def sync_stream(client, _):
    return list(client.stream("emulator/stream", {"events": EVENTS}))


def sync_realtime(client, _):
    with client.realtime("emulator/realtime") as connection:
        connection.send({"n": 1})
        return connection.recv()["n"]


def sync_websocket(client, _):
    with client.ws_connect("emulator/ws") as connection:
        connection.send("hello")
        return connection.recv()


def sync_upload(client, _):
    return fetched(client.upload(SMALL, "text/plain", file_name="small.txt"))


def sync_upload_5_mb(client, folder):
    return fetched(client.upload_file(folder / "5mb.bin"))


def sync_upload_120_mb(client, folder):
    return fetched(client.upload_file(folder / "120mb.bin"))


def fetched(url):
    """Returns the hash of the stored file."""
    return hashlib.sha256(httpx.get(url, timeout=60).content).hexdigest()


async def async_run(client, _):
    return (await client.run("emulator/echo", ECHO))["body"]


async def async_run_refused(client, _):
    try:
        await client.run("emulator/fail/image_too_large", {})
    except fal_client.client.FalClientHTTPError as error:
        return error.status_code


async def async_submit(client, _):
    handle = await client.submit("emulator/job", JOB, priority="low", hint="lefty", start_timeout=30)
    return await handle.get()


async def async_status(client, _):
    handle = await client.submit("emulator/job", JOB)
    status = await client.status("emulator/job", handle.request_id, with_logs=True)
    while not isinstance(status, fal_client.Completed):
        status = await client.status("emulator/job", handle.request_id, with_logs=True)
    return [log["message"] for log in status.logs]


async def async_iter_events(client, _):
    handle = await client.submit("emulator/job", JOB)
    last = [event async for event in handle.iter_events(with_logs=True)][-1]
    return [log["message"] for log in last.logs]


async def async_subscribe(client, _):
    logs = []

    def seen(status):
        for log in getattr(status, "logs", None) or []:
            if log["message"] not in logs:
                logs.append(log["message"])

    result = await client.subscribe("emulator/job", JOB, with_logs=True, on_queue_update=seen)
    return {"result": result, "logs": logs}


async def async_cancel(client, _):
    handle = await client.submit("emulator/job", LONG_JOB)
    await handle.cancel()
    return "cancelled"


async def async_stream(client, _):
    return [event async for event in client.stream("emulator/stream", {"events": EVENTS})]


async def async_realtime(client, _):
    async with client.realtime("emulator/realtime") as connection:
        await connection.send({"n": 1})
        return (await connection.recv())["n"]


async def async_websocket(client, _):
    async with client.ws_connect("emulator/ws") as connection:
        await connection.send("hello")
        return await connection.recv()


async def async_upload(client, _):
    return fetched(await client.upload(SMALL, "text/plain", file_name="small.txt"))


async def async_upload_5_mb(client, folder):
    return fetched(await client.upload_file(folder / "5mb.bin"))


async def async_upload_120_mb(client, folder):
    return fetched(await client.upload_file(folder / "120mb.bin"))


def main():
    form, name, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    call = globals()[f"{form}_{name}"]
    if form == "sync":
        outcome = call(fal_client.SyncClient(), folder)
    else:
        outcome = asyncio.run(call(fal_client.AsyncClient(), folder))
    print(json.dumps({"outcome": outcome}))


main()
