"""The secret of a notebook in Google Colab, with substitutes for Colab's modules."""

from __future__ import annotations

from pathlib import Path

import logs
import pytest
from conftest import Emulator, output

import libfal

IPYTHON = """
from google.colab._shell import Shell
def get_ipython():
    return Shell()
"""
USERDATA = """
import os
class SecretNotFoundError(Exception):
    pass
def get(name):
    print("asked for", name)
    if "SECRET" not in os.environ:
        raise SecretNotFoundError(f"Secret {name} does not exist.")
    return os.environ["SECRET"]
"""
CODE = """
    import IPython, libfal, logs
    client = logs.client()
    print(client.explain().used == libfal.explain().used, client.explain().used)
    for run in (client.run, client.run, libfal.run):
        try:
            print(run("emulator/echo", {})["key_id"])
        except libfal.CredentialsError as error:
            print(error.code, [str(source) for source in error.explanation.sources if source.source == "Colab"])
    print(client.explain().used)
"""


@pytest.fixture
def notebook(tmp_path: Path) -> str:
    """A directory of modules like those of a notebook's kernel."""
    colab = tmp_path / "modules" / "google" / "colab"
    colab.mkdir(parents=True)
    (colab / "__init__.py").touch()
    (colab / "_shell.py").write_text("class Shell: pass\n")
    (colab / "userdata.py").write_text(USERDATA)
    (tmp_path / "modules" / "IPython.py").write_text(IPYTHON)
    return str(tmp_path / "modules")


def test_the_secret_is_asked_for_once(emulator: Emulator, notebook: str) -> None:
    secret = f" {emulator.api_key}\n"
    lines = output(CODE, PYTHONPATH=notebook, FAL_EMULATOR_HOST=emulator.address, SECRET=secret).splitlines()
    assert lines == [
        "True Colab: used, secret FAL_KEY, asked when a key is needed",
        "asked for FAL_KEY",
        emulator.key_id,
        emulator.key_id,
        # libfal.run() uses a client of its own.
        "asked for FAL_KEY",
        emulator.key_id,
        f"Colab: used, {emulator.key_id}, secret FAL_KEY, asked when a key is needed",
    ]


def test_a_variable_is_stronger_and_the_notebook_is_not_asked(emulator: Emulator, notebook: str) -> None:
    printed = output(CODE, PYTHONPATH=notebook, SECRET="fake-id:fake-secret", **emulator.environment())
    assert "asked" not in printed.replace("asked when", "") and printed.count(emulator.key_id) == 5


def test_without_the_secret_the_login_is_next(emulator: Emulator, notebook: str, home: Path) -> None:
    place = {"PYTHONPATH": notebook, "FAL_EMULATOR_HOST": emulator.address}
    printed = output(CODE, **place)
    why = "Colab: absent, secret FAL_KEY, cannot read the notebook's secret FAL_KEY: SecretNotFoundError: Secret"
    assert printed.count("FAL_E_NO_CREDENTIALS") == printed.count(why) == 3
    login = emulator.control("POST", "logins", {})
    (home / ".fal").mkdir()
    (home / ".fal" / "auth0_token").write_text(f"{login['refresh_token']}\n{login['access_token']}")
    *_, last = output(CODE, **place).splitlines()
    assert last.startswith("login: used")
    assert {one["outcome"] for one in emulator.arrivals() if one["path"] == "/emulator/echo"} == {200}


def test_a_bad_secret_is_not_passed_over(emulator: Emulator, notebook: str) -> None:
    printed = output(CODE, PYTHONPATH=notebook, FAL_EMULATOR_HOST=emulator.address, SECRET="fake-secret-half")
    assert printed.count("FAL_E_CREDENTIALS_FAILED") == 3 and "fake-secret" not in printed


def test_elsewhere_there_is_no_such_source(notebook: str) -> None:
    assert all(source.source != "Colab" for source in libfal.explain().sources)
    # A process started by a notebook has the modules, but no shell.
    code = "import google.colab, libfal; print([source.source for source in libfal.explain().sources])"
    assert "Colab" not in output(code, PYTHONPATH=notebook)
