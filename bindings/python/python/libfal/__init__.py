"""fal.ai for programs: find the key, say where it came from, run requests.

    import libfal

    print(libfal.explain())
    picture = libfal.run("fal-ai/flux/schnell", {"prompt": "a lighthouse at dusk"})
    print(picture["images"][0]["url"])
"""

import sys as _sys

try:
    from . import _libfal
except ImportError as _refused:
    if "subinterpreters" not in str(_refused):
        raise
    # The same text as in the module's own check, for CPython versions that load it.
    raise ImportError("libfal works in the main interpreter of a process, and in no sub-interpreter") from None

# A program that deletes the package from sys.modules and imports it again gets the same classes, because the native library is loaded
# once in a process.
_sys.modules.update(_libfal.modules)

from ._client import Client, explain, flush_log, run, shutdown
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
    NotReadyError,
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
from ._libfal import __version__
from ._operation import Operation
from ._platform import Items, NewKey
from ._response import Response
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

_libfal.modules.update({name: module for name, module in _sys.modules.items() if name.startswith("libfal._")})

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
    "Items",
    "NewKey",
    "NotFoundError",
    "NotReadyError",
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
    "flush_log",
    "profiles",
    "remove_from_keyring",
    "remove_key",
    "run",
    "set_active_profile",
    "shutdown",
    "store_in_keyring",
    "store_key",
]
