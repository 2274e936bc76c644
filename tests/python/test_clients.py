"""Clients as objects: made, compared, shown, copied, inherited from, closed."""

from __future__ import annotations

import copy
import datetime
import inspect
import itertools
import linecache
import pickle
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Union

import logs
import pytest
from conftest import Emulator, output

import libfal
from libfal import _waiting
from libfal._base import Base

_Client = Union[libfal.SyncClient, libfal.AsyncClient]
KEY = "fake-id:fake-secret-of-a-client"
CLASSES: list[Any] = [libfal.SyncClient, libfal.AsyncClient]


@pytest.mark.parametrize("cls", CLASSES)
def test_clients_with_equal_options_are_equal(cls: type[_Client]) -> None:
    assert cls() == cls() and hash(cls()) == hash(cls())
    assert cls(KEY, 5) == cls(key=KEY, default_timeout=5.0) and hash(cls(KEY)) == hash(cls(KEY))
    others: list[dict[str, Any]] = [{"key": KEY[:-1]}, {"default_timeout": 6}, {"run_host": "a.example"}, {"anonymous": True}]
    for other in others:
        assert cls(KEY, 5) != cls(**{"key": KEY, "default_timeout": 5, **other})
    # Only a limit that was given ends uploads.
    assert cls(default_timeout=120) == cls(default_timeout=120.0) != cls() and cls(KEY, 120) != cls(KEY)
    assert libfal.SyncClient() != libfal.AsyncClient() and cls() != 3
    changed = cls()
    changed.set_credentials(KEY)
    assert changed != cls() and changed == changed and changed != cls(KEY)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_client_shows_no_key(cls: type[_Client]) -> None:
    client = cls(KEY, app_token=None, proxy=None)
    for shown in (repr(client), str(client), repr(vars(client)), repr(dir(client)), f"{client!r:>60}"):
        assert "fake-secret" not in shown and "fake-id" not in shown
    assert repr(client) == f"{cls.__name__}(default_timeout=120.0)"
    assert client.default_timeout == 120.0 and cls(default_timeout=None).default_timeout is None
    with pytest.raises(AttributeError):
        client.default_timeout = 3  # type: ignore[misc]


@pytest.mark.parametrize("cls", CLASSES)
def test_the_error_for_a_malformed_key_refers_to_no_exception_with_the_key(cls: type[_Client]) -> None:
    with pytest.raises(libfal.InvalidArgumentError, match="key is not Unicode text") as caught:
        cls(f"{KEY}\ud800")
    assert caught.value.__context__ is None and caught.value.__cause__ is None


def variables(error: BaseException | None) -> str:
    """Returns the variables of libfal's functions that an exception and those before it passed through, as reports of errors show them."""
    shown: list[object] = []
    package = str(Path(libfal.__file__).parent)
    while error is not None:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename.startswith(package)]
        shown += [getattr(it, "_text", it) for frame in frames for it in frame.f_locals.values()]
        error = error.__cause__ or error.__context__
    return repr(shown)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_report_with_the_variables_of_each_function_has_no_key(cls: type[Any]) -> None:
    secret = KEY.partition(":")[2]
    wrong: list[dict[str, Any]] = [
        {"log_level": "loud"}, {"proxy": f"http://{secret}@proxy.example"}, {"max_attempts": "5"}, {"profile": "a"}, {"log": 5},
        {"key": f"{KEY}\ud800"}, {"key": KEY.encode()}, {"key": None, "app_token": f"{secret}\ud800"}, {"default_timeout": -1},
    ]  # fmt: skip
    calls: list[Any] = [lambda options: cls(**{"key": KEY, **options})]
    calls.append(lambda options: cls().set_credentials(**{"key": KEY, **options}))
    for options in wrong:
        for call in calls if options.keys() <= {"key", "app_token", "profile"} else calls[:1]:
            with pytest.raises(Exception) as caught:
                call(options)
            assert secret not in variables(caught.value), options


def test_no_function_that_takes_a_key_keeps_it_in_a_variable_when_it_raises(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    secret = KEY.partition(":")[2]
    folder, token = str(home), f"{secret}-of-a-token"
    closed = libfal.SyncClient(anonymous=True)
    closed.close()
    calls: list[Callable[[], object]] = [
        lambda: libfal.explain(KEY, profile="a"),
        lambda: libfal.explain(KEY, config_path="a\0b"),
        lambda: libfal.explain(f"{KEY}\ud800"),
        lambda: libfal.explain(app_token=token, config_path="a\0b"),
        lambda: libfal.explain(app_token=libfal.AppToken(token), config_path="a\0b"),
        lambda: libfal.store_key("a", KEY, config_path=folder),
        lambda: libfal.store_key("a", KEY.encode()),  # type: ignore[arg-type]
        lambda: libfal.store_key("a\ud800", KEY),
        lambda: libfal.store_in_keyring("a\ud800", KEY),
        lambda: libfal.store_in_keyring("a", f"{KEY}\ud800"),
        lambda: libfal.AppToken(token.encode()),  # type: ignore[arg-type]
        lambda: closed.set_credentials(KEY),
    ]
    waits: list[Callable[[], object]] = [lambda: libfal.explain(KEY), lambda: libfal.store_key("a", KEY, config_path=home / "config.toml")]
    for call in [*calls, *waits]:
        if call in waits:
            monkeypatch.setattr(_waiting, "wait", interrupted)
        with pytest.raises(BaseException) as caught:
            call()
        assert secret not in variables(caught.value)


@pytest.mark.parametrize("name", ["client", "async client", "set_credentials", "AppToken", "explain", "store_key"])
def test_ctrl_c_leaves_no_key_in_a_variable(home: Path, name: str) -> None:
    """At each line from the try statement on, before which a signal handler only runs at the entry."""
    secret, client = KEY.partition(":")[2], libfal.SyncClient(anonymous=True)
    token = libfal.AppToken(secret)
    calls: dict[str, Callable[[], object]] = {
        "client": lambda: libfal.SyncClient(KEY),
        "async client": lambda: libfal.AsyncClient(app_token=token),
        "set_credentials": lambda: client.set_credentials(KEY),
        "AppToken": lambda: libfal.AppToken(secret, 5),
        "explain": lambda: libfal.explain(KEY),
        "store_key": lambda: libfal.store_key("a", KEY, config_path=home / "config.toml"),
    }
    steps = 0
    while error := interrupted(calls[name], steps + 1):
        assert type(error) is KeyboardInterrupt and secret not in variables(error)
        steps += 1
    assert steps > 1


def interrupted(call: Callable[[], object], line: int) -> BaseException | None:
    """Makes a call of libfal, raises KeyboardInterrupt at this line of it, and returns what it raised."""
    package, left = str(Path(libfal.__file__).parent), line
    has_begun = False

    def step(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left, has_begun
        if not frame.f_code.co_filename.startswith(package):
            return None
        if event == "line" and has_begun:
            left -= 1
            if not left:
                sys.settrace(None)
                raise KeyboardInterrupt
        has_begun = has_begun or linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() == "try:"
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        # Python drops what its deletion would raise.
        _kept = call()
        return None
    except BaseException as error:
        return error
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("cls", CLASSES)
def test_only_a_client_of_the_environment_travels(cls: type[_Client]) -> None:
    twin = pickle.loads(pickle.dumps(cls()))
    assert type(twin) is cls and twin == cls() and twin.default_timeout is cls().default_timeout
    limited = cls(default_timeout=120)
    # Uploads have this limit, and none by default.
    assert pickle.loads(pickle.dumps(limited)) == limited and pickle.loads(pickle.dumps(limited)).default_timeout is not twin.default_timeout
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(cls(KEY))
    client = cls(KEY)
    assert copy.copy(client) is client and copy.deepcopy([client])[0] is client
    changed = cls()
    changed.set_credentials(KEY)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(changed)


def test_the_functions_of_the_module_travel(emulator: Emulator) -> None:
    code = """
        import functools, multiprocessing, libfal as fal_client
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                answers = pool.map(functools.partial(fal_client.run, "emulator/echo"), [{"n": n} for n in range(4)])
                print([answer["body"]["n"] for answer in answers])
                pool.close()
                pool.join()
    """
    assert output(code, PYTHONWARNINGS="ignore::DeprecationWarning", **emulator.environment()) == "[0, 1, 2, 3]\n"


def test_a_subclass_changes_what_it_likes(emulator: Emulator) -> None:
    class Mine(libfal.SyncClient):
        calls = 0

        def run(self, application: str, arguments: Any, **options: Any) -> dict[str, Any]:
            Mine.calls += 1
            return super().run(application, {**arguments, "mine": True}, **options)

    mine = Mine(emulator.api_key, emulator_host=emulator.address, log=logs.write, log_level="debug")
    assert mine.run("emulator/echo", {"a": 1})["body"] == {"a": 1, "mine": True} and Mine.calls == 1
    assert repr(mine) == f"{Mine.__qualname__}(default_timeout=120.0)"
    assert mine != emulator.client()
    handle = mine.submit("emulator/job", {})
    assert handle.client is mine


def test_a_default_client_is_made_anew_for_another_environment(emulator: Emulator) -> None:
    """A plug-in for tests leads the functions of the module to an emulator, also when they were used before."""
    code = """
        import os, asyncio, libfal
        address = os.environ.pop("FAL_EMULATOR_HOST")
        os.environ["FAL_KEY"] = "fake-id:fake-secret"
        print(libfal.explain().used.key_id, libfal.sync_client.explain().used.key_id)
        os.environ.update(FAL_EMULATOR_HOST=address, FAL_KEY=os.environ["RIGHT"])
        libfal.sync_client._core = libfal.async_client._core = None
        print(libfal.run("emulator/echo", {"a": 1})["body"])
        print(asyncio.run(libfal.run_async("emulator/echo", {"a": 2}), debug=False)["body"])
    """
    assert output(code, RIGHT=emulator.api_key, **emulator.environment()) == "fake-id fake-id\n{'a': 1}\n{'a': 2}\n"


@pytest.mark.parametrize("cls", CLASSES)
def test_a_wrong_option_is_named(cls: type[Any]) -> None:
    with pytest.raises(TypeError, match="api_key") as caught:
        cls(api_key=KEY)
    assert sys.version_info < (3, 10) or str(caught.value).startswith(f"{cls.__name__}.__init__() got an unexpected keyword argument")
    values: list[Any] = [datetime.timedelta(seconds=5), "5", [], {}]
    for name in ("default_timeout", "max_attempts"):
        for wrong in values:
            kind = "a number of seconds" if name == "default_timeout" else "an integer"
            with pytest.raises(TypeError, match=f"^{name} is {kind}, not {type(wrong).__name__}$"):
                cls(**{name: wrong})
    assert inspect.signature(cls) == inspect.signature(Base)


def test_a_client_has_one_credential() -> None:
    options: dict[str, Any] = {"key": KEY, "profile": "zz", "app_token": "fake-token", "credential": lambda: KEY}
    for one, other in itertools.combinations(options, 2):
        two = {one: options[one], other: options[other]}
        calls: list[Any] = [*CLASSES, libfal.explain, libfal.SyncClient().set_credentials, libfal.AsyncClient().set_credentials]
        for call in calls:
            with pytest.raises(libfal.InvalidArgumentError, match=f"not {one} and {other}\n") as caught:
                call(**two)
            assert "fake" not in str(caught.value)
    for name, value in options.items():
        libfal.SyncClient(**{name: value})


def test_each_option_of_fal_client_is_taken_by_position() -> None:
    client = libfal.SyncClient(KEY, 30.0)
    assert client.default_timeout == 30.0
    with pytest.raises(TypeError):
        libfal.SyncClient(KEY, 30.0, "profile")  # type: ignore[call-arg]
