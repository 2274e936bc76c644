"""A plug-in for pytest that runs fal_client's own tests with libfal under the name fal_client:

    THEIR_SOURCE=FOLDER THEIR_TESTS_APPLY=NUMBER python -m pytest -p their_tests FOLDER/tests

FOLDER is that of the source distribution. Most of these tests replace private functions of fal_client. Such a test cannot apply;
every other test must pass. The plug-in prints each test that does not apply with its reason. THEIR_TESTS_APPLY is the number of
tests that apply, so that none is lost.
"""

from __future__ import annotations

import fnmatch
import os
import sys
import types
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import libfal
import pytest

#: What else keeps a test from applying.
OTHER = {
    "*::test_*_upload_image_passes_lifecycle": "the image is a mock, and libfal takes pictures of PIL",
    "*::test_realtime_connection_*": "the connection is made of a mock of websockets' connection",
}
TESTS = os.path.join(os.environ["THEIR_SOURCE"], "tests")
reasons: dict[str, str] = {}


class NotPublic(BaseException):
    """A test has used a private name. No `pytest.raises(Exception)` catches it."""


class Private:
    """Stands for a private name. Tests may import it, but not use it."""

    def __init__(self, name: str) -> None:
        self._private = name

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise NotPublic(self._private)

    __call__ = __iter__ = __contains__ = __add__ = __radd__ = __sub__ = __eq__ = __index__ = _refuse
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        # pytest looks for marks and fixtures in all that a module contains.
        if name != "__name__" and name.startswith(("_", "pytest")):
            raise AttributeError(name)
        self._refuse()


class Module(types.ModuleType):
    """A module of fal_client: the public names are libfal's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(libfal, name) if hasattr(libfal, name) else Private(name)

    def _refuse(self, name: str, *_: Any) -> None:
        raise NotPublic(name)

    __setattr__ = __delattr__ = _refuse


async def nothing() -> None:
    pass


def stand_in() -> None:
    sys.modules["fal_client"] = libfal
    for part in ("client", "auth", "_headers"):
        module = Module(f"fal_client.{part}")
        sys.modules[module.__name__] = module
        setattr(libfal, part, module)
    # The fixtures of the end-to-end tests ask for the key, and skip the tests if there is none.
    libfal.SyncClient._auth = None
    libfal.AsyncClient._auth = property(lambda client: nothing())


stand_in()


def private_name(error: BaseException) -> str | None:
    """Returns the private name that the test uses, if it does."""
    if isinstance(error, NotPublic):
        return str(error)
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    name = getattr(error, "name", None) or ""
    is_by_test = trace.tb_frame.f_code.co_filename.startswith(TESTS)
    return name if isinstance(error, AttributeError) and is_by_test and name.startswith("_") else None


def reason(test: str, error: BaseException) -> str | None:
    """Returns why the test does not apply, if it does not."""
    if name := private_name(error):
        return f"uses {name}, which is private to fal_client"
    return next((why for pattern, why in OTHER.items() if fnmatch.fnmatchcase(test, pattern)), None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.failed and (why := reason(item.nodeid, call.excinfo.value)):
        reasons[item.nodeid] = why
        report.outcome = "skipped"
        report.longrepr = (str(item.path), 0, why)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    by_reason = defaultdict(list)
    for test, why in reasons.items():
        by_reason[why].append(test)
    print()
    for why, tests in sorted(by_reason.items()):
        print(f"{why}: {len(tests)}", *tests, sep="\n    ")
    unneeded = OTHER.keys() - {pattern for pattern in OTHER for test in reasons if fnmatch.fnmatchcase(test, pattern)}
    applied, wanted = session.testscollected - len(reasons), int(os.environ["THEIR_TESTS_APPLY"])
    print(f"{applied} of fal_client's {session.testscollected} tests apply, and {wanted} should; unneeded reasons: {len(unneeded)}")
    if applied != wanted or unneeded:
        session.exitstatus = 1
