"""The public names of the package."""

from . import webhooks
from ._app import set_get_current_app
from ._async_client import AsyncClient, async_client
from ._client import SyncClient, explain, flush_log, shutdown, sync_client
from ._credential import AppToken, Check
from ._errors import (
    AccountLockedError,
    AuthenticationError,
    CancelledError,
    CredentialsError,
    DecodeError,
    FalClientError,
    FalClientHTTPError,
    FalClientTimeoutError,
    ForbiddenError,
    ForeignOriginError,
    InternalError,
    InvalidArgumentError,
    InvalidInputError,
    MissingCredentialsError,
    NotFoundError,
    NotReadyError,
    ProtocolError,
    RateLimitedError,
    RealtimeError,
    RedirectError,
    ResourceError,
    ResponseTooLargeError,
    ServiceError,
    ShutDownError,
    TransportError,
    UsageError,
    WebhookInvalidError,
)
from ._explanation import Explanation, Problem, Source
from ._handles import AsyncRequestHandle, SyncRequestHandle
from ._libfal import __version__
from ._operation import Operation
from ._platform import AsyncItems, Items, NewKey
from ._realtime import (
    AsyncChannel,
    AsyncRealtimeConnection,
    AsyncWebSocketConnection,
    Channel,
    RealtimeConnection,
    WebSocketConnection,
)
from ._response import Response
from ._show import show
from ._status import Completed, InProgress, Queued, Status, UnknownStatus
from ._storage import (
    ObjectExpiration,
    StorageACL,
    StorageACLDecision,
    StorageACLRule,
    StorageSettings,
    encode,
    encode_file,
    encode_image,
)
from ._store import (
    Change,
    Profile,
    profiles,
    remove_from_keyring,
    remove_key,
    set_active_profile,
    store_in_keyring,
    store_key,
)


version_tuple = tuple(int(part) if part.isdigit() else part for part in __version__.split("."))

run = sync_client.run
subscribe = sync_client.subscribe
submit = sync_client.submit
status = sync_client.status
result = sync_client.result
cancel = sync_client.cancel
stream = sync_client.stream
realtime = sync_client.realtime
ws_connect = sync_client.ws_connect
upload = sync_client.upload
upload_file = sync_client.upload_file
upload_image = sync_client.upload_image

run_async = async_client.run
subscribe_async = async_client.subscribe
submit_async = async_client.submit
status_async = async_client.status
result_async = async_client.result
cancel_async = async_client.cancel
stream_async = async_client.stream
realtime_async = async_client.realtime
ws_connect_async = async_client.ws_connect
upload_async = async_client.upload
upload_file_async = async_client.upload_file
upload_image_async = async_client.upload_image

__all__: "list[str]" = [
    "AccountLockedError",
    "AppToken",
    "AsyncChannel",
    "AsyncClient",
    "AsyncItems",
    "AsyncRealtimeConnection",
    "AsyncRequestHandle",
    "AsyncWebSocketConnection",
    "AuthenticationError",
    "CancelledError",
    "Change",
    "Channel",
    "Check",
    "Completed",
    "CredentialsError",
    "DecodeError",
    "Explanation",
    "FalClientError",
    "FalClientHTTPError",
    "FalClientTimeoutError",
    "ForbiddenError",
    "ForeignOriginError",
    "InProgress",
    "InternalError",
    "InvalidArgumentError",
    "InvalidInputError",
    "Items",
    "MissingCredentialsError",
    "NewKey",
    "NotFoundError",
    "NotReadyError",
    "ObjectExpiration",
    "Operation",
    "Problem",
    "Profile",
    "ProtocolError",
    "Queued",
    "RateLimitedError",
    "RealtimeConnection",
    "RealtimeError",
    "RedirectError",
    "ResourceError",
    "Response",
    "ResponseTooLargeError",
    "ServiceError",
    "ShutDownError",
    "Source",
    "Status",
    "StorageACL",
    "StorageACLDecision",
    "StorageACLRule",
    "StorageSettings",
    "SyncClient",
    "SyncRequestHandle",
    "TransportError",
    "UnknownStatus",
    "UsageError",
    "WebSocketConnection",
    "WebhookInvalidError",
    "__version__",
    "async_client",
    "cancel",
    "cancel_async",
    "encode",
    "encode_file",
    "encode_image",
    "explain",
    "flush_log",
    "profiles",
    "realtime",
    "realtime_async",
    "remove_from_keyring",
    "remove_key",
    "result",
    "result_async",
    "run",
    "run_async",
    "set_active_profile",
    "set_get_current_app",
    "show",
    "shutdown",
    "status",
    "status_async",
    "store_in_keyring",
    "store_key",
    "stream",
    "stream_async",
    "submit",
    "submit_async",
    "subscribe",
    "subscribe_async",
    "sync_client",
    "upload",
    "upload_async",
    "upload_file",
    "upload_file_async",
    "upload_image",
    "upload_image_async",
    "version_tuple",
    "webhooks",
    "ws_connect",
    "ws_connect_async",
]
