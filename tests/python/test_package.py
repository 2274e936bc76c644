"""The wheel: its content, its exports and its types."""

from __future__ import annotations

import ctypes
import dataclasses
import importlib.metadata
import inspect
import os
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import output

import libfal
from libfal import _libfal

PACKAGE = Path(libfal.__file__).parent


def test_the_package_is_the_installed_wheel() -> None:
    assert "site-packages" in PACKAGE.parts
    assert importlib.metadata.version("libfal") == libfal.__version__
    # The emulator of the same release.
    assert f"libfal-emulator=={libfal.__version__}; extra" in "".join(importlib.metadata.requires("libfal") or []).replace(" ;", ";")
    metadata = importlib.metadata.metadata("libfal")
    assert metadata["License-Expression"] == "MIT OR Apache-2.0"
    files = {Path(file).name for file in importlib.metadata.files("libfal") or []}
    assert {"LICENSE-MIT", "LICENSE-APACHE", "py.typed", "_libfal.pyi"} <= files


def test_the_c_abi_is_not_exported() -> None:
    library = ctypes.CDLL(_libfal.__file__)
    assert hasattr(library, "PyInit__libfal")
    for name in ("fal_version", "fal_client_new", "fal_error_free"):
        assert not hasattr(library, name)


def test_all_is_what_is_public() -> None:
    assert sorted(libfal.__all__) == libfal.__all__
    modules = {name for name, it in vars(libfal).items() if inspect.ismodule(it)} - set(libfal.__all__)
    public = {name for name in dir(libfal) if not name.startswith("_")} - modules | {"__version__"}
    assert public == set(libfal.__all__)


def test_the_modules_of_fal_client_are_there_when_they_are_used() -> None:
    code = """
        import sys, libfal as fal_client
        print("libfal.client" in sys.modules, fal_client.client.FalClientHTTPError is fal_client.FalClientHTTPError)
        print(fal_client.auth.MissingCredentialsError is fal_client.MissingCredentialsError, hasattr(fal_client, "other"))
    """
    assert output(code) == "False True\nTrue False\n"


def functions(of: object) -> Iterator[Callable[..., Any]]:
    """Yields the function, or those of the class, the generated ones included."""
    for it in (it for name, it in vars(of).items() if name[0] != "_" or name[:2] == "__") if isinstance(of, type) else [of]:
        found = it.fget if isinstance(it, property) else getattr(it, "__func__", it)
        if inspect.isfunction(found):
            yield found


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the annotations have X | Y")
@pytest.mark.parametrize("name", libfal.__all__)
def test_annotations_are_resolved_at_run_time(name: str) -> None:
    public = getattr(libfal, name)
    if dataclasses.is_dataclass(public) and dataclasses.fields(public) or public is libfal.FalClientError:
        assert typing.get_type_hints(public)
    for function in functions(public):
        assert set(typing.get_type_hints(function)) == set(function.__annotations__)
        if sys.version_info >= (3, 10):
            assert inspect.signature(function, eval_str=True).parameters.keys() == inspect.signature(function).parameters.keys()


def test_help_explains_each_argument() -> None:
    statuses = libfal.Queued, libfal.InProgress, libfal.Completed, libfal.UnknownStatus
    called: list[Any] = [libfal.SyncClient, libfal.AsyncClient, libfal.explain, *statuses]
    for cls in called[:2]:
        called += [value for name, value in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")]
    for it in called:
        text = inspect.getdoc(it) or ""
        assert "As in " not in text and " are those of " not in text, it
        missing = [name for name in inspect.signature(it).parameters if name != "self" and f"\n    {name}: " not in text]
        assert missing == [], it


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the annotations have X | Y")
def test_resolved_annotations_are_types() -> None:
    hints = typing.get_type_hints(libfal.SyncClient.request)
    assert hints["method"] is str and hints["return"] is libfal.Response
    assert hints["timeout"] == typing.Union[float, int, None]
    assert typing.get_type_hints(libfal.profiles)["config_path"] == typing.Union[str, os.PathLike[str], None]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the pinned mypy needs 3.10")
def test_the_stubs_agree_with_the_module(tmp_path: Path) -> None:
    allowed = Path(__file__).with_name("stubtest.txt")
    check = [sys.executable, "-m", "mypy.stubtest", "libfal", "--allowlist", str(allowed)]
    environment = {**os.environ, "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    result = subprocess.run(check, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the pinned mypy needs 3.10")
def test_the_package_its_tests_and_its_examples_are_well_typed(tmp_path: Path) -> None:
    tests = Path(__file__).parent
    folder = tests.parents[1] / "examples" / "python"
    examples = sorted([*folder.glob("*.py"), *folder.glob("testing/*.py")])
    check = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join([str(tests), str(folder / "testing")])}
    for what in (["-p", "libfal"], [*map(str, sorted(tests.glob("*.py"))), *map(str, examples)]):
        result = subprocess.run([*check, *what], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr
