"""Each test runs with fal_client and with libfal. A test with the mark `fault` describes what fal_client does wrong.

`@pytest.mark.fault("a pattern of the symptom")`: the test must pass with libfal, and fail with fal_client by an assertion whose text
matches the pattern. So each of these tests is seen to fail, and the list stays true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import Authority, HostileFal
from programs import CLIENTS, Programs


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(symptom): what fal_client does wrong")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "client" in metafunc.fixturenames:
        metafunc.parametrize("client", CLIENTS)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    fault = pyfuncitem.get_closest_marker("fault")
    if fault is None or pyfuncitem.callspec.params["client"] != "fal_client":
        return (yield)
    (symptom,) = fault.args
    try:
        yield
    except AssertionError as error:
        assert re.search(symptom, str(error)), f"fal_client fails in another way than {symptom!r}: {error}"
        return True
    raise AssertionError(f"fal_client no longer has this fault: {symptom}")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def programs(client: str, tmp_path: Path) -> Iterator[Programs]:
    started = Programs(client, tmp_path)
    yield started
    started.close()


@pytest.fixture
def hostile(authority: Authority) -> Iterator[object]:
    """Makes a hostile fal of a function."""
    made: list[HostileFal] = []

    def make(answer):
        made.append(HostileFal(authority, answer))
        return made[-1]

    yield make
    for fal in made:
        fal.close()
