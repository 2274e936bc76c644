"""The programs in the wheel's README do what it says."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from unittest.mock import ANY

from conftest import ROOT, Emulator, output

import libfal

README = (ROOT / "bindings" / "python" / "README.md").read_text()
RUN = "/fal-ai/flux/schnell"


def test_its_programs_run(emulator: Emulator) -> None:
    programs = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(programs) == 8
    printed = output("\n".join(map(textwrap.dedent, programs)), **emulator.environment())
    assert [(one["method"], one["path"].partition("?")[0], one["outcome"]) for one in emulator.arrivals()] == [
        ("POST", RUN, 200),
        # The check of an API key, and its account.
        ("GET", "/v1/keys", 403),
        ("GET", "/users/current", 200),
        # With a credential function, and with a token.
        ("POST", RUN, 200),
        ("POST", "/tokens/", 200),
        ("POST", RUN, 200),
        ("POST", RUN, 200),
        ("GET", ANY, 200),
        ("GET", "/v1/models", 200),
        ("POST", RUN, 200),
        ("POST", RUN, 422),
    ]
    assert "Check(accepted=True" in printed and "Profile(name='work'" in printed
    assert "using FAL_KEY" in printed and '"type":"missing"' in printed


def test_the_page_of_keys_makes_and_revokes_a_key(emulator: Emulator, home: Path) -> None:
    page = (ROOT / "docs" / "keys-and-scopes.md").read_text()
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    before, _, last = program.rstrip().rpartition("\n")
    libfal.store_key("admin", emulator.admin_key, config_path=home / ".fal" / "config.toml")
    refused = f"try:\n    {last}\nexcept libfal.AuthenticationError as error:\n    print('refused', key.id in str(error))"
    printed = output(f"import libfal\n{before}\n{refused}", FAL_EMULATOR_HOST=emulator.address).splitlines()
    assert len(printed) == 3 and printed[0].startswith("https://") and "for my program" in printed[1]
    assert printed[2] == "refused True"
    outcomes = [(one["method"], one["path"].split("/")[1:3], one["outcome"]) for one in emulator.arrivals()]
    assert outcomes == [
        ("POST", ["v1", "keys"], 201),
        ("POST", ["fal-ai", "flux"], 200),
        ("GET", ["v1", "keys"], 200),
        ("DELETE", ["v1", "keys"], 204),
        ("POST", ["fal-ai", "flux"], 401),
    ]


def test_its_table_has_every_class() -> None:
    table = README[README.index("| Class") :]
    errors = {name for name in libfal.__all__ if name.endswith("Error") and name != "Error"}
    assert set(re.findall(r"`(\w+Error)`", table)) - {"ConnectionError", "TimeoutError", "ValueError"} == errors
