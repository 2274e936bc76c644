"""The native half of libfal. An error is a return value, which _errors.py converts to an exception.

It runs no Python code, so that a thread which the interpreter terminates at shutdown has no Rust frame on its stack.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, final

__all__ = [
    "Answer",
    "Core",
    "Failure",
    "NewKey",
    "Op",
    "Question",
    "Task",
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

@final
class Core:
    """The native half of Client. No method waits. The dicts have the members of the structs in src/options.rs and src/client.rs."""

    def run(self, endpoint: str, input: bytes | None, timeout: float | None, /) -> Op | Failure: ...
    def send(self, request: dict[str, object], /) -> Op | Failure: ...
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
    def cancel(self) -> None: ...
    def outcome(self) -> Answer | Failure:
        """Return the response of an ended operation, each time the same."""

    def next(self, seconds: float, /) -> Answer | None | Literal[False] | Failure:
        """Return the next element of a list; None if there is none yet, False after the last one."""

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
    def status(self) -> int:
        """Return the HTTP status."""

    def headers(self) -> list[list[str]]:
        """Return the headers as lists of name and value."""

    def size(self) -> int: ...
    def body(self) -> bytes: ...
    def text(self) -> str | Failure: ...
    def json(self) -> Any:
        """Return the body as JSON, or NotImplemented if Python's own decoder must read it."""

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
