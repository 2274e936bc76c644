"""Receives webhooks in an ASGI application, such as one of uvicorn: uvicorn webhook_asgi:application

fal posts to it when a job of submit(…, webhook_url="https://example.com/webhook") has ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import libfal

MOST = 10 << 20
"""The bytes of a body that is read."""

Message = MutableMapping[str, Any]


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] == "http":
        status = await answer(scope, receive)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})


async def answer(scope: Message, receive: Callable[[], Awaitable[Message]]) -> int:
    """Returns the status of the response."""
    # The bytes as they arrived: fal signed them.
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return 400
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST:
            return 413
    try:
        delivery = await libfal.webhooks.verify_async(scope["headers"], body)
    except libfal.WebhookInvalidError:
        return 401
    except libfal.FalClientError:
        # fal's keys cannot be fetched. fal tries again later.
        return 503
    await handle(delivery)
    return 204


async def handle(delivery: libfal.webhooks.Delivery) -> None:
    """Called once or more for each job. Long work belongs into a task of its own, because fal waits 15 seconds."""
    failure = delivery.failure()
    print(f"{delivery.request_id}: {failure.message if failure else delivery.payload}", flush=True)
