"""The programs of the wheel's README do what it says."""

from __future__ import annotations

import re
import textwrap

from conftest import ROOT, Emulator, output

import libfal

README = (ROOT / "bindings" / "python" / "README.md").read_text()


def test_its_programs_run(emulator: Emulator) -> None:
    programs = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(programs) == 5
    printed = output("\n".join(map(textwrap.dedent, programs)), **emulator.environment())
    # One call each of the first and the third program and the operation, the two requests, and the one that fails.
    assert [(one["method"], one["outcome"]) for one in emulator.arrivals()] == [
        ("POST", 200),
        ("POST", 200),
        ("GET", 200),
        ("GET", 200),
        ("POST", 200),
        ("POST", 422),
    ]
    assert "using FAL_KEY" in printed and '"type":"missing"' in printed


def test_its_table_has_every_class() -> None:
    table = README[README.index("| Class") :]
    errors = {name for name in libfal.__all__ if name.endswith("Error") and name != "Error"}
    assert set(re.findall(r"`(\w+Error)`", table)) - {"ConnectionError", "TimeoutError", "ValueError"} == errors
