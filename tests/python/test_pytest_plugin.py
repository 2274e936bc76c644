"""The plug-in of pytest, as the tests of a user's project use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EMULATOR, ROOT

OF_THE_USER = "fake-id:fake-secret-of-the-user"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "examples" / "python" / "testing", tmp_path / "project"))


def run(project: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Returns the exit status and the output of the project's tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    # With proxies and settings that lead elsewhere, and a key that costs money.
    misleading = {"FAL_KEY": OF_THE_USER, "FAL_RUN_HOST": "127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    result = subprocess.run(
        command,
        cwd=project,
        env={**os.environ, **misleading, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert OF_THE_USER not in result.stdout
    return result.returncode, result.stdout


def test_a_project_tests_itself(project: Path) -> None:
    status, output = run(project, FAL_EMULATOR_BIN=EMULATOR)
    assert (status, "11 passed" in output) == (0, True), output


def test_the_program_is_found_in_the_path(project: Path) -> None:
    (project / "fal-emulator").symlink_to(Path(EMULATOR).resolve())
    path = os.pathsep.join([str(project), os.environ["PATH"]])
    status, output = run(project, "-k", "made_once", PATH=path)
    assert (status, "1 passed" in output) == (0, True), output


def test_no_program_is_an_error_with_a_remedy(project: Path) -> None:
    status, output = run(project, PATH=str(project), FAL_KEY=OF_THE_USER)
    assert (status, "11 errors" in output) == (1, True), output
    assert 'Install it by pip install "libfal[emulator]", or set FAL_EMULATOR_BIN' in output


@pytest.mark.parametrize(
    ("program", "says"),
    [("/no/such/program", "cannot start the emulator /no/such/program"), ("/bin/echo", "/bin/echo is no fal-emulator")],
)
def test_another_program_is_an_error(project: Path, program: str, says: str) -> None:
    status, output = run(project, "-k", "made_once", FAL_EMULATOR_BIN=program)
    assert (status, "1 error" in output, says in output) == (1, True, True), output


def test_the_module_functions_use_the_users_key_before_and_after(project: Path) -> None:
    """What was used without the fixture is not mixed up with what is used with it."""
    (project / "test_order.py").write_text(
        """
import libfal

def used():
    return libfal.sync_client.explain().used

def test_before():
    assert used().key_id == "fake-id"

def test_between(fal_emulator):
    assert used().key_id.startswith("fake-api-")
    libfal.run("emulator/echo", {})

def test_after():
    assert used().key_id == "fake-id"
"""
    )
    status, output = run(project, "test_order.py", FAL_EMULATOR_BIN=EMULATOR)
    assert (status, "3 passed" in output) == (0, True), output


def test_nothing_is_started_or_read_without_a_fixture(project: Path) -> None:
    (project / "test_without.py").write_text(
        f"import os\n\ndef test_it():\n    assert os.environ['FAL_KEY'] == {OF_THE_USER!r}\n"
    )
    status, output = run(project, "test_without.py", FAL_EMULATOR_BIN="/no/such/program")
    assert (status, "1 passed" in output) == (0, True), output


def test_the_emulator_ends_with_the_tests(project: Path) -> None:
    (project / "test_death.py").write_text(
        """
import os, signal

def test_it(fal_emulator):
    print("address", fal_emulator.address, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    status, output = run(project, "-s", "test_death.py", FAL_EMULATOR_BIN=EMULATOR)
    assert status == -9, output
    # The pipe that run() reads was the emulator's standard error, too: it has ended, or the read would have waited for it.
    assert "address 127.0.0.1:" in output


def test_a_file_defines_endpoints_until_the_end_of_the_test(project: Path) -> None:
    (project / "mine.toml").write_text('endpoint = [{ id = "acme/mine", output = { mine = true } }]')
    (project / "test_mine.py").write_text(
        """
import libfal
import pytest

def test_defined(fal_emulator):
    fal_emulator.define_from("mine.toml")
    assert libfal.run("acme/mine", {}) == {"mine": True}

def test_gone(fal_emulator):
    with pytest.raises(libfal.FalClientHTTPError):
        libfal.run("acme/mine", {})

def test_wrong(fal_emulator):
    with pytest.raises(ValueError, match="needs a program"):
        fal_emulator.control("POST", "apps", {"endpoint": [{"id": "acme/x"}]})
"""
    )
    status, output = run(project, "test_mine.py", FAL_EMULATOR_BIN=EMULATOR)
    assert (status, "3 passed" in output) == (0, True), output


@pytest.fixture
def recorded(project: Path) -> Path:
    """A project with a recording of what another emulator answered."""
    upstream = subprocess.Popen(
        [EMULATOR, "serve", "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with upstream:
        assert upstream.stdout
        line = json.loads(upstream.stdout.readline())
        program = "import libfal; print(libfal.run('fal-ai/flux/schnell', {'prompt': 'a lighthouse', 'seed': 7})['seed'])"
        command = [EMULATOR, "record", "--to", "tests/recordings", "--upstream", f"http://{line['address']}"]
        subprocess.run(
            [*command, "--", sys.executable, "-c", program],
            cwd=project,
            env={**os.environ, "FAL_KEY": line["api_key"]},
            check=True,
            timeout=60,
        )
    for path in project.glob("test_*.py"):
        path.unlink()
    (project / "tests" / "test_replay.py").write_text(
        """
import libfal
import pytest

def test_the_recorded_input(fal_emulator):
    assert libfal.run("fal-ai/flux/schnell", {"prompt": "a lighthouse", "seed": 7})["seed"] == 7

def test_another_input(fal_emulator_session):
    with pytest.raises(libfal.FalClientError, match="prompt: recorded .a lighthouse., given .a ship."):
        libfal.run("fal-ai/flux/schnell", {"prompt": "a ship", "seed": 7})
"""
    )
    return project


@pytest.mark.parametrize("file", ["pyproject.toml", "pytest.ini"])
def test_the_emulator_answers_from_recordings(recorded: Path, file: str) -> None:
    """The folder is relative to the file of the option, wherever pytest starts."""
    section = "[tool.pytest.ini_options]" if file == "pyproject.toml" else "[pytest]"
    value = '"recordings"' if file == "pyproject.toml" else "recordings"
    (recorded / "tests" / file).write_text(f"{section}\nfal_emulator_replay = {value}\n")
    status, output = run(recorded, "tests", FAL_EMULATOR_BIN=EMULATOR)
    assert (status, "2 passed" in output) == (0, True), output


def test_a_folder_without_recordings_is_an_error(project: Path) -> None:
    option = "fal_emulator_replay=nowhere"
    status, output = run(project, "-k", "made_once", "-o", option, FAL_EMULATOR_BIN=EMULATOR)
    assert (status, "ended with status 1 before it served" in output) == (1, True), output
    assert "cannot read the recordings in" in output
    status, output = run(project, "-k", "made_once", "-o", option + " other", FAL_EMULATOR_BIN=EMULATOR)
    assert "fal_emulator_replay must be one folder, not 2" in output
