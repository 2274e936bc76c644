"""The wheel: its content, its exports and its types."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import libfal
from libfal import _libfal

PACKAGE = Path(libfal.__file__).parent


def test_the_package_is_the_installed_wheel() -> None:
    assert "site-packages" in PACKAGE.parts
    assert importlib.metadata.version("libfal") == libfal.__version__
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
    public = {name for name in vars(libfal) if not name.startswith("_")} | {"__version__"}
    assert public == set(libfal.__all__)


def test_the_stubs_agree_with_the_module(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "mypy.stubtest", "libfal"]
    environment = {**os.environ, "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    result = subprocess.run(check, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_package_its_tests_and_its_examples_are_well_typed(tmp_path: Path) -> None:
    tests = Path(__file__).parent
    examples = sorted((tests.parents[1] / "examples" / "python").glob("*.py"))
    check = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    environment = {**os.environ, "MYPYPATH": str(tests)}
    for what in (["-p", "libfal"], [*map(str, sorted(tests.glob("*.py"))), *map(str, examples)]):
        result = subprocess.run([*check, *what], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr
