"""The native half of libfal. What has parts is JSON text; what went wrong is a value, which _errors.py makes an exception of.

None of it runs Python code, so that no thread that the interpreter ends as the program does has frames of Rust.
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

modules: dict[str, ModuleType]
"""The modules of the package, as they were imported first."""

@final
class Failure:
    """What went wrong."""

    def facts(self) -> str:
        """Everything but the body of the answer, as JSON."""

    def body(self) -> bytes:
        """The body of the answer."""

@final
class Core:
    """What Client stands for. Each call returns at once."""

    def run(self, endpoint: str, input: bytes | None, timeout: float | None, /) -> Op | Failure: ...
    def send(self, request: dict[str, object], /) -> Op | Failure: ...
    def explain(self) -> Task | Failure: ...
    def set_credentials(self, credential: dict[str, object], /) -> None: ...
    def check(self) -> Op | Failure: ...
    def known_scope(self) -> str | None: ...
    def platform(self, name: str, params: str, /) -> Op | Failure: ...
    def platform_list(self, name: str, params: str, /) -> Op | Failure: ...
    def create_key(self, alias: str, /) -> Op | Failure: ...
    def revoke_key(self, id: str, allow_own: bool, /) -> Op | Failure: ...
    def mint_token(self, apps: str, seconds: int, /) -> Op | Failure: ...

@final
class Op:
    """An operation."""

    def done(self) -> bool | Failure: ...
    def ended(self) -> bool | None:
        """Whether it has ended; None for one of another process."""

    def wait(self, seconds: float, /) -> bool | Failure: ...
    def cancel(self) -> None: ...
    def outcome(self) -> Answer | Failure:
        """The answer of one that has ended, each time the same."""

    def next(self, seconds: float, /) -> Answer | None | Literal[False] | Failure:
        """The next element of a list: None if there is none yet, False after the last."""

    def take_key(self) -> NewKey | Failure:
        """The key that was made, once."""

@final
class Task:
    """Work that blocks, on a thread of its own."""

    def wait(self, seconds: float, /) -> bool | Failure: ...
    def outcome(self) -> str | bool | Failure | None:
        """What it gave, once it has ended."""

@final
class Answer:
    """What an operation or an event brought."""

    def __new__(cls, content: bytes, /) -> Answer: ...
    def facts(self) -> str:
        """Status and headers, as JSON."""

    def size(self) -> int: ...
    def body(self) -> bytes: ...
    def text(self) -> str | Failure: ...
    def json(self) -> Any:
        """The body as JSON, or NotImplemented where Python's own decoder has to look."""

@final
class NewKey:
    """A key that was just made."""

    def id(self) -> str: ...
    def secret(self) -> str: ...
    def shown(self) -> str: ...
    def store(self, profile: str, activate: bool, config_path: str | None, /) -> Task | Failure: ...
    def store_in_keyring(self, account: str, /) -> Task | Failure: ...

@final
class Question:
    """A question of the core for a credential. The first answer counts."""

    def key(self, text: str, expires_in: float | None, /) -> None:
        """Answer with a key that is good for so many seconds."""

    def app_token(self, text: str, expires_in: float | None, /) -> None:
        """Answer with a short-lived token."""

    def absent(self, reason: str, /) -> None:
        """Say that a notebook has no key, and why, so that the next source is tried."""

    def fail(self, reason: str, /) -> None:
        """Say why there is no credential."""

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
    """Why this thread must not wait."""

def failure(code: str, message: str, /) -> Failure:
    """What went wrong in Python's half."""

def codes() -> str:
    """The name and the meaning of every code of the core, as JSON."""

def call_back(
    find: Callable[[int], Callable[..., Any] | None],
    ask: Callable[[int, Question], None],
    release: Callable[[int], None],
) -> None:
    """Name the functions that find log functions, ask for credentials, and hear which functions are called no more.

    The first ones count.
    """

def silence() -> int:
    """Begin no log function from now on, and say how many still run."""
