"""The native half of libfal. An error is a return value, which _errors.py converts to an exception.

It runs no Python code, so that a thread which the interpreter terminates at shutdown has no Rust frame on its stack.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, TypedDict, final

from typing_extensions import Required

__all__ = [
    "Answer",
    "Channel",
    "Core",
    "Failure",
    "NewKey",
    "Op",
    "Question",
    "Session",
    "Task",
    "Watcher",
    "__version__",
    "call_back",
    "client",
    "codes",
    "dumps",
    "explain",
    "failure",
    "flush_log",
    "may_wait",
    "modules",
    "profiles",
    "remove_from_keyring",
    "remove_key",
    "set_active_profile",
    "shutdown",
    "silence",
    "store_in_keyring",
    "store_key",
    "watcher",
]

__version__: str

_Level = Literal["error", "warning", "info", "debug"]
_Scope = Literal["API", "ADMIN"]

modules: dict[str, ModuleType]
"""The modules of the package, from its first import."""

@final
class Failure:
    """An error."""

    def facts(self) -> dict[str, Any]:
        """Return everything but the body of the response."""

    def body(self) -> bytes:
        """Return the body of the response."""

class _Upload(TypedDict, total=False):
    """A file: either path or data, which is not copied. A member that is missing is None."""

    path: str | None
    data: bytes | None
    content_type: str | None
    file_name: str | None
    way: Literal["automatic", "signed", "signed_google", "direct", "direct_parts", "signed_parts", "google_parts"] | None
    expires_in: str | None
    access: str | None
    rules: bytes | None
    """JSON pairs of a user and a decision."""

class _Request(TypedDict, total=False):
    """A request to an endpoint. A member that is missing is None, and None leaves the default of the core."""

    endpoint: Required[str]
    method: str | None
    path: str | None
    body: bytes | None
    """JSON text. It is not checked again."""
    headers: bytes | None
    """JSON pairs of name and value."""
    timeout: float | None
    priority: str | None
    start_timeout: float | None
    hint: str | None
    webhook_url: str | None
    logs: bool | None
    keep_running: bool | None
    files: list[tuple[str, _Upload]] | None
    """Each with the JSON Pointer of its place in the body, where the body has a value already."""

class _Sent(TypedDict, total=False):
    """A request to a URL."""

    method: Required[str]
    url: Required[str]
    body: bytes | None
    content_type: str | None
    headers: bytes | None
    timeout: float | None

class _Download(TypedDict, total=False):
    url: Required[str]
    path: str | None
    overwrite: bool | None
    max_bytes: int | None
    with_file_token: bool | None
    timeout: float | None

class _SessionOptions(TypedDict, total=False):
    max_buffering: int | None
    use_header: bool | None
    token_lifetime: float | None
    queue_size: int | None
    drop_oldest: bool | None
    keep_newest: bool | None
    max_message_bytes: int | None
    ping: float | None
    """0 disables pings."""

_Verb = Literal["status", "result", "cancel", "attach"]
_Kind = Literal["", "status", "log", "progress", "item", "message", "connection"]

@final
class Core:
    """The native half of Client. Only run_wait and run_plain wait."""

    def run(self, request: _Request, /) -> Op | Failure:
        """Start a run. With files it has events "progress", and without files none."""

    def run_wait(self, request: _Request, seconds: float, /) -> Answer | Op | Failure:
        """Start a run and wait for its end. Return its outcome, or the Op if it has not ended, which is cancelled when it is deleted.

        Start nothing on a thread that must not wait.
        """

    def run_plain(
        self, endpoint: object, input: object, timeout: float, seconds: float, /
    ) -> dict[str, Any] | Answer | Op | Failure:
        """Run an endpoint with an input like run_wait, and decode the response.

        Return the output, which may be any value of JSON, an Answer that Python's own decoder must read, a Failure, or the Op if the
        run has not ended, which is cancelled when it is deleted. Return NotImplemented and start nothing if the endpoint is no str or
        is an address, or if the input is no dict or dumps() would return None for it.
        """

    def submit(self, request: _Request, /) -> Op | Failure:
        """Start to submit a job. The outcome is fal's response to the submission. Events as for run."""

    def subscribe(self, request: _Request, /) -> Op | Failure:
        """Start to submit a job and to wait for its result. Events "status", "log" and "progress"."""

    def stream(self, request: _Request, /) -> Op | Failure:
        """Start a stream. Events "item", which wait to be read, and "progress". Cancelled when the Op is deleted."""

    def job(
        self, verb: _Verb, endpoint: str, request_id: str, logs: bool, keep_running: bool, timeout: float | None, /
    ) -> Op | Failure:
        """Start to ask for a job's status or its result, to cancel it, or to wait for it with the events of subscribe."""

    def realtime(self, request: _Request, options: _SessionOptions, /) -> Session | Failure:
        """Start a session with a realtime app. A body other than {} is the first input."""

    def websocket(self, request: _Request, options: _SessionOptions, /) -> Session | Failure: ...
    def channel(self, request: _Request, /) -> Channel | Failure: ...
    def upload(self, upload: _Upload, timeout: float | None, /) -> Op | Failure:
        """Start an upload. Events "progress"; the outcome is JSON with "url"."""

    def download(self, download: _Download, /) -> Op | Failure:
        """Start a download. Events "progress". The outcome is the file, or JSON with "path" and "size"."""

    def verify_webhook(self, headers: bytes, body: bytes, /) -> Op | Failure:
        """Start to verify that fal sent a webhook. The headers are JSON pairs."""

    def send(self, request: _Sent, /) -> Op | Failure: ...
    def explain(self) -> Task | Failure: ...
    def set_credentials(self, credential: dict[str, object], /) -> None: ...
    def check(self) -> Op | Failure: ...
    def known_scope(self) -> _Scope | None: ...
    def platform(self, name: str, params: bytes, /) -> Op | Failure: ...
    def platform_list(self, name: str, params: bytes, /) -> Op | Failure: ...
    def create_key(self, alias: str, /) -> Op | Failure: ...
    def revoke_key(self, id: str, allow_own: bool, /) -> Op | Failure: ...
    def mint_token(self, apps: bytes, seconds: int, /) -> Op | Failure: ...

@final
class Op:
    """An operation."""

    def done(self) -> bool | Failure: ...
    def ended(self) -> bool | None:
        """Return whether it has ended; None for an operation of another process."""

    def wait(self, seconds: float, /) -> bool | Failure: ...
    def finish(self, seconds: float, /) -> Answer | None | Failure:
        """Wait as wait() does, and return the outcome; None if it has not ended."""

    def cancel(self) -> None: ...
    def outcome(self) -> Answer | Failure:
        """Return the response of an ended operation, each time the same."""

    def output(self) -> dict[str, Any] | Answer | Failure:
        """Return the decoded response of an ended operation, an Answer that Python's own decoder must read, or a Failure."""

    def next(self, seconds: float, /) -> Answer | None | Literal[False] | Failure:
        """Return the next event; None if there is none yet, False after the last one."""

    def discard_events(self) -> None:
        """Drop all events, those that are queued and those that follow."""

    def dropped_events(self) -> int: ...
    def request_id(self) -> str | None:
        """Return fal's id of the request, once it is known."""

    def take_key(self) -> NewKey | Failure:
        """Return the new key. A second call fails."""

@final
class Task:
    """Blocking work on a thread of its own."""

    def wait(self, seconds: float, /) -> bool | Failure: ...
    def outcome(self) -> Any:
        """Return the result, after the end."""

@final
class Answer:
    """The content of a response or an event."""

    def __new__(cls, content: bytes, /) -> Answer: ...
    def kind(self) -> _Kind:
        """Return the kind of an event; "" for a response."""

    def is_bytes(self) -> bool:
        """Return whether it is an event with bytes, not with text or JSON."""

    def frame(self) -> bytes | None:
        """Return the frame of a realtime message as the app sent it, with its secrets; None for any other content."""

    def status(self) -> int:
        """Return the HTTP status."""

    def headers(self) -> list[list[str]]:
        """Return the headers as lists of name and value."""

    def size(self) -> int: ...
    def body(self) -> bytes: ...
    def text(self) -> str | Failure: ...
    def json(self) -> Any:
        """Return the body as JSON, or NotImplemented if Python's own decoder must read it."""

    def delivery(self) -> dict[str, Any] | Failure:
        """Return the facts of a verified webhook without its payload."""

    def delivered_failure(self) -> Failure | None:
        """Return the error of the job of a verified webhook."""

@final
class Session:
    """A realtime session or a WebSocket. Deleting it closes it."""

    def op(self) -> Op:
        """Return the operation, always the same. Events "message", which wait to be read, and "connection"."""

    def send(self, input: bytes, /) -> None | Failure:
        """Send an input, which is JSON, as MessagePack; on a WebSocket, send a text."""

    def send_bytes(self, data: bytes, /) -> None | Failure:
        """Send bytes as they are, in one binary frame."""

    def unsent(self) -> int: ...
    def close(self) -> None:
        """Close it once the messages that wait are sent."""

@final
class Channel:
    """HTTP over WebSocket: many runs of one endpoint over one connection."""

    def run(self, request: _Request, /) -> Op | Failure:
        """Start a run. If the app streams, its items are events that wait to be read, or to be discarded."""

    def set_ping(self, seconds: float, /) -> None | Failure:
        """Set the time between pings; 0 disables them."""

@final
class Watcher:
    """Wakes one event loop through a descriptor. It has no thread."""

    def fileno(self) -> int:
        """Return the descriptor, which is readable when ready() may return something."""

    def watch(self, op: Op, number: int, events: bool, /) -> None | Failure:
        """Watch for the end of an operation, and for its events."""

    def run_plain(self, core: Core, endpoint: object, input: object, timeout: float, number: int, /) -> Op | Failure:
        """Start a run like Core.run_plain without a wait, and watch for its end.

        Return the Op, which is cancelled when it is deleted, a Failure, or NotImplemented.
        """

    def ready(self) -> list[int] | Failure:
        """Return the numbers of operations that may have events or may have ended.

        Read the events with next(0) until there is none: only what comes later is reported again.
        """

    def close(self) -> None:
        """Watch nothing any longer, and close the descriptor."""

@final
class NewKey:
    """A new API key."""

    def id(self) -> str: ...
    def secret(self) -> str: ...
    def shown(self) -> str: ...
    def store(self, profile: str, activate: bool, config_path: str | None, /) -> Task | Failure: ...
    def store_in_keyring(self, account: str, /) -> Task | Failure: ...

@final
class Question:
    """A request of the core for a credential. Only the first response counts."""

    def key(self, text: str, expires_in: float | None, /) -> None:
        """Deliver a key that is valid for this number of seconds."""

    def app_token(self, text: str, expires_in: float | None, /) -> None:
        """Deliver a short-lived token."""

    def absent(self, reason: str, /) -> None:
        """Report that a notebook has no key, and why. The next source is tried."""

    def fail(self, reason: str, /) -> None:
        """Report why there is no credential."""

def client(credential: dict[str, object], options: dict[str, object], /) -> Core | Failure: ...
def explain(credential: dict[str, object], /) -> Task | Failure: ...
def profiles(config_path: str | None, /) -> Task | Failure: ...
def store_key(profile: str, key: str, activate: bool, config_path: str | None, /) -> Task | Failure: ...
def remove_key(profile: str, config_path: str | None, /) -> Task | Failure: ...
def set_active_profile(profile: str | None, config_path: str | None, /) -> Task | Failure: ...
def store_in_keyring(account: str, key: str, /) -> Task | Failure: ...
def remove_from_keyring(account: str, /) -> Task | Failure: ...
def watcher() -> Watcher | Failure: ...
def shutdown(timeout: float, /) -> Task | Failure: ...
def flush_log(timeout: float, /) -> Task | Failure: ...
def may_wait() -> None | Failure:
    """Return None, or why this thread must not wait."""

def dumps(value: object, /) -> bytes | None:
    """Return a value as JSON text, or None if Python's own encoder must convert it."""

def failure(code: str, message: str, /) -> Failure:
    """Make a failure of the Python half."""

def codes() -> str:
    """Return the name and the meaning of each error code of the core, as JSON."""

def call_back(
    find: Callable[[int], Callable[..., Any] | None],
    ask: Callable[[int, Question], None],
    release: Callable[[int], None],
) -> None:
    """Set the functions that find log functions, ask for credentials, and release functions. Only the first call has an effect."""

def silence() -> int:
    """Start no more log functions, and return how many still run."""
