"""Webhooks: verify that fal sent a delivery, and read it.

    delivery = libfal.webhooks.verify(request.headers, request.body)
    print(delivery.request_id, delivery.result())

The body must be the bytes as they arrived: JSON that was parsed and written again has another signature. Respond with a 2xx within 15
seconds. fal repeats a delivery that fails, with the same request_id, so a delivery may arrive more than once.
"""

from __future__ import annotations

from . import _loop
from ._async_client import AsyncClient
from ._calls import Call
from ._client import SyncClient, sync_client
from ._errors import FalClientError, error as error_of
from ._response import decoded
from ._typing import fill
from ._values import content, dumps, text
from ._waiting import finish, value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from dataclasses import dataclass
    from typing import Any, Literal

    from _typeshed import ReadableBuffer

    from ._libfal import Answer

    _Status = Literal["OK", "ERROR"]
else:
    from ._typing import Any, Iterable, Mapping, ReadableBuffer, dataclass

    _Status = str

__all__ = ["Delivery", "verify", "verify_async"]

_PREFIX = "x-fal-webhook-"


@dataclass(frozen=True)
class Delivery:
    """The content of a webhook: the outcome of a job."""

    request_id: str
    """The id of the job. A repeated delivery has the same one."""
    status: _Status
    """"OK" if the app succeeded, else "ERROR"."""
    payload: Any
    """The output, or the body of the error; None if that is not JSON."""
    error: str | None
    """Why the job failed, such as "Invalid status code: 422"."""
    http_status: int | None
    """The HTTP status of the app's response, if the job failed and fal reports it."""
    payload_error: str | None
    """Why the payload of a result is missing. result() of a client can still fetch it."""
    gateway_request_id: str | None
    """The id of the last attempt."""

    def __init__(
        self,
        request_id: str,
        status: _Status,
        payload: Any,
        error: str | None,
        http_status: int | None,
        payload_error: str | None,
        gateway_request_id: str | None,
    ) -> None:
        fill(self, locals())

    def failure(self) -> FalClientError | None:
        """Return the error of a failed job, as result() of a client raises it; None if the job succeeded."""
        failure: FalClientError | None = self.__dict__.get("_failure")
        return failure

    def result(self) -> Any:
        """Return the output of the job, or raise its error."""
        failure = self.failure()
        if failure:
            raise failure
        return self.payload


def verify(
    headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
    body: ReadableBuffer,
    *,
    client: SyncClient | AsyncClient | None = None,
) -> Delivery:
    """Verify that fal sent a delivery, not more than five minutes ago, and return its content.

    fal's keys are fetched once a day, and at most once a minute if none of them made a signature. Known keys verify without a request.

    Args:
        headers: The headers of the request: a mapping, an object with items(), or pairs, of str or bytes; or the environ of WSGI. The case
            of names does not matter.
        body: The body as it arrived.
        client: A client of either kind, which keeps the keys. By default that of the functions of libfal.

    Raises:
        WebhookInvalidError: fal did not send it. Respond with 401. The message tells which check failed.
        FalClientError: fal's keys are not known and cannot be fetched. Respond with 503, so that fal repeats the delivery.
    """
    return finish(_call(headers, body, client or sync_client))


async def verify_async(
    headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
    body: ReadableBuffer,
    *,
    client: SyncClient | AsyncClient | None = None,
) -> Delivery:
    """Do what verify() does, in an event loop."""
    return await _loop.finish(_call(headers, body, client or sync_client))


def _call(
    headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]], body: ReadableBuffer, client: SyncClient | AsyncClient
) -> Call[Delivery]:
    if isinstance(body, str):
        raise TypeError("body must be the bytes as they arrived, not str")
    arguments = dumps(list(_signed(headers))), content(body)
    return Call(client._open().verify_webhook, arguments, _delivery, client.default_timeout)


def _signed(headers: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> Iterable[tuple[str, str]]:
    """Returns the headers that the signature needs. Others may be secrets."""
    items: Any = getattr(headers, "items", None)
    pairs: Iterable[tuple[Any, Any]] = items() if items else headers
    for name, value in pairs:
        plain = _text(name).lower()
        if plain.startswith("http_"):
            # An environ of WSGI.
            plain = plain[5:].replace("_", "-")
        if plain.startswith(_PREFIX):
            yield plain, text(f"the header {plain}", _text(value))


def _text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise TypeError(f"the names and values of headers must be str or bytes, not {type(value).__name__}")
    return value


def _delivery(answer: Answer) -> Delivery:
    delivery = Delivery(payload=decoded(answer).get("payload"), **value_of(answer.delivery()))
    failure = answer.delivered_failure()
    delivery.__dict__["_failure"] = None if failure is None else error_of(failure)
    return delivery
