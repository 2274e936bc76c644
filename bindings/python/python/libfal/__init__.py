"""fal.ai for programs: find the key, say where it came from, run requests.

    import libfal

    print(libfal.explain())
    picture = libfal.run("fal-ai/flux/schnell", {"prompt": "a lighthouse at dusk"})
    print(picture["images"][0]["url"])
"""

from ._credential import AppToken, Check
from ._errors import (
    AccountLockedError,
    AuthenticationError,
    CancelledError,
    CredentialsError,
    DeadlineError,
    DecodeError,
    Error,
    ForbiddenError,
    ForeignOriginError,
    InternalError,
    InvalidArgumentError,
    InvalidInputError,
    NotFoundError,
    ProtocolError,
    RateLimitedError,
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
from ._libfal import (
    Client,
    Operation,
    Response,
    __version__,
    explain,
    profiles,
    remove_from_keyring,
    remove_key,
    run,
    set_active_profile,
    shutdown,
    store_in_keyring,
    store_key,
)
from ._store import Change, Profile

__all__ = [
    "AccountLockedError",
    "AppToken",
    "AuthenticationError",
    "CancelledError",
    "Change",
    "Check",
    "Client",
    "CredentialsError",
    "DeadlineError",
    "DecodeError",
    "Error",
    "Explanation",
    "ForbiddenError",
    "ForeignOriginError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidInputError",
    "NotFoundError",
    "Operation",
    "Problem",
    "Profile",
    "ProtocolError",
    "RateLimitedError",
    "RedirectError",
    "ResourceError",
    "Response",
    "ResponseTooLargeError",
    "ServiceError",
    "ShutDownError",
    "Source",
    "TransportError",
    "UsageError",
    "WebhookInvalidError",
    "__version__",
    "explain",
    "profiles",
    "remove_from_keyring",
    "remove_key",
    "run",
    "set_active_profile",
    "shutdown",
    "store_in_keyring",
    "store_key",
]
