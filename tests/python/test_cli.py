"""The command libfal: its help, its command line, its output and its exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import Ended, fal, start
from conftest import Emulator, output

import libfal
from libfal._cli import _codes, _fields, _help, main
from libfal._cli._errors import UsageError
from libfal._cli._output import Output

KEY = "fake-id:fake-secret-of-the-test"


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Undoes what a command does to this process."""
    numbers = signal.SIGTERM, signal.SIGHUP
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


def here(words: list[str], capsys: pytest.CaptureFixture[str]) -> Ended:
    """Runs a command in this process."""
    code = main(words)
    out, err = capsys.readouterr()
    assert "fake-secret" not in out + err
    return Ended(code, out, err)


def test_every_command_has_a_help_text_with_an_example() -> None:
    code = """
        import contextlib, io, json
        from libfal._cli import _help, main
        texts = {}
        for name in _help.COMMANDS:
            print(f"### {name}", flush=True)
            assert main([*name.split(), "--help"]) == 0
    """
    texts = dict(part.split("\n", 1) for part in output(code, COLUMNS="80").split("### ")[1:])
    assert list(texts) == list(_help.COMMANDS)
    for name, text in texts.items():
        assert text.startswith(f"usage: libfal {name}") and f"example:\n  " in text and f"libfal {name}" in text.split("example:")[1]
        assert max(map(len, text.splitlines())) <= 88
        options = re.findall(r"^  (?:-\w, )?--", text, re.MULTILINE)
        explained = re.findall(r"^  (?:-\w, )?--[a-z-]+(?: [A-Z]+| \{.*\})?\s+\w", text, re.MULTILINE)
        assert len(options) == len(explained) >= 5


def test_the_overview_names_every_command_and_exit_code() -> None:
    shown = fal("--help")
    assert (shown.code, shown.err) == (0, "") and max(map(len, shown.out.splitlines())) <= 80
    for name in [*_help.COMMANDS, *map(str, _codes.MEANINGS)]:
        assert re.search(rf"^  {name} ", shown.out, re.MULTILINE)
    assert fal("help", "run").out == fal("run", "--help").out


def test_the_help_of_a_group_lists_its_commands() -> None:
    keys = fal("keys", "--help")
    assert (keys.code, keys.err) == (0, "") and [line.split()[:2] for line in keys.out.splitlines() if line.startswith("  ")] == [
        ["keys", "list"],
        ["keys", "create"],
        ["keys", "revoke"],
    ]
    assert fal("help", "webhook").out == fal("webhook", "-h").out and "webhook listen" in fal("webhook", "-h").out


@pytest.mark.skipif("site-packages" not in Path(libfal.__file__).parts, reason="libfal is not installed")
def test_the_command_is_installed() -> None:
    ended = subprocess.run([Path(sys.executable).parent / "libfal", "--version"], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, f"libfal {libfal.__version__}\n")


def test_a_command_imports_its_own_modules_alone() -> None:
    code = """
        import sys
        from libfal._cli import main
        main(["explain", "--json"])
        print(sorted(name.partition("libfal._cli.")[2] for name in sys.modules if name.startswith("libfal._cli.")))
        print(sorted({"asyncio", "http", "ssl", "urllib.request", "concurrent", "email", "logging"} & set(sys.modules)))
    """
    modules, heavy = output(code).splitlines()[-2:]
    assert modules == "['_codes', '_errors', '_help', '_output', '_parser', 'explain']" and heavy == "[]"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "a command is missing"),
        (["rnu"], "Did you mean 'libfal run'"),
        (["keys"], "libfal keys create"),
        (["login"], "libfal profiles store default --use"),
        (["auth", "login"], "libfal profiles store default --use"),
        (["fal-ai/flux/dev", "prompt=x"], "libfal run MODEL"),
        (["run"], "are required: MODEL\n"),
        (["run", "a/b", "prompt"], "KEY=VALUE"),
        (["run", "a/b", "--timeout", "0"], "above 0"),
        (["run", "a/b", "--nothing", "fake-secret"], "no option is named --nothing"),
        (["run", "a/b", "x=@missing.png"], "'missing.png' does not exist"),
        (["run", "a/b", "@missing.json"], "'missing.json' does not exist"),
        (["run", "a/b", "-kfake-secret"], "no option is named -k\n"),
        (["status", "a/b", "id", "more"], "too many arguments"),
        (["status", "--json", "a/b"], "ID"),
        (["run", "a/b", "--priority", KEY], "an argument looks like a key"),
        (["run", "a/b", "--prof", "x"], "no option is named --prof"),
        (["--json", "rnu"], "no command is named"),
    ],
)
def test_a_wrong_command_line_is_explained(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = here(words, capsys)
    assert ended.code == 2 and said in ended.err and "\ndo:" in ended.err
    if "--json" in words:
        error = ended.json["error"]
        assert said in error["message"] and error["code"] == "FAL_E_INVALID_ARGUMENT"
    else:
        assert ended.out == ""


@pytest.mark.parametrize("words", [[f"--key={KEY}"], ["--key", KEY], ["--api-key", "x"], ["--TOKEN=x"], [KEY], ["run", "a/b", KEY]])
def test_a_key_is_no_argument(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ended = here(words, capsys)
    assert (ended.code, ended.out) == (2, "") and "arguments are public" in ended.err and "revoke it" in ended.err


def test_no_key_is_code_3_and_says_what_to_do() -> None:
    ended = fal("run", "emulator/echo", "--json")
    assert ended.code == 3 and "do:    Set FAL_KEY" in ended.err
    error = ended.json["error"]
    assert (error["code"], error["exit_code"]) == ("FAL_E_NO_CREDENTIALS", 3) and error["remedy"] in ended.err
    explained = fal("explain", "--json")
    assert explained.code == 3 and explained.json["used"] is None
    # Where a key was looked for is a part of the error.
    assert error["explanation"] == explained.json and "FAL_KEY_COMMAND " in ended.err
    assert fal("explain", env={"FAL_KEY": "fake-secret-half"}).code == 3
    assert "using FAL_KEY" in fal("explain", env={"FAL_KEY": KEY}).out


def test_the_key_of_the_environment_is_checked(emulator: Emulator) -> None:
    ended = fal("check", "-v", env=emulator.environment())
    assert ended.code == 0 and emulator.key_id in ended.out and "API" in ended.out and "debug: " in ended.err
    # A user of the command has no page of the repository.
    assert "docs/" not in fal("run", "no/app", "-v", env=emulator.environment()).err
    refused = fal("check", "--json", env={**emulator.environment(), "FAL_KEY": KEY})
    assert refused.code == 3 and refused.json["accepted"] is False


def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    with start("--help") as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.wait(timeout=30), process.stderr.read()) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
@pytest.mark.parametrize("words", ["--help", "explain --json", "run --help"])
def test_output_that_is_lost_is_no_success(redirection: str, words: str) -> None:
    shell = f'"$0" -m libfal {words} {redirection}'
    ended = subprocess.run(["sh", "-c", shell, sys.executable], env={**os.environ, "FAL_KEY": KEY}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and ended.stderr.startswith("error: cannot write to standard output") and "Traceback" not in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_text_of_every_language_is_printed_in_every_locale(emulator: Emulator, encoding: str) -> None:
    text = "\u65e5\u672c \u00e9 \U0001f680"
    ended = fal("run", "emulator/echo", f"prompt={text}", "--json", env={**emulator.environment(), "PYTHONIOENCODING": encoding})
    assert (ended.code, ended.json["body"]["prompt"]) == (0, text)
    wrong = fal("run", "emulator/echo", f"prompt=@{text}", env={**emulator.environment(), "PYTHONIOENCODING": encoding})
    assert wrong.code == 2 and (text in wrong.err or "\\u65e5" in wrong.err)


def test_a_defect_shows_no_secret_and_no_traceback() -> None:
    code = f"""
        import sys
        from libfal._cli import main, check
        def execute(args, out):
            raise ZeroDivisionError("{KEY}")
        check.execute = execute
        print(main(["check"]))
        """
    shown = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert shown.stdout == "1\n" and "ZeroDivisionError: ****" in shown.stderr and "Traceback" not in shown.stderr


def fields(*words: str) -> dict[str, Any]:
    return _fields.arguments(words, Output(False))


def test_fields_are_json_or_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fields() == {}
    assert fields("a=1", "b=true", "c=null", "d=a b", "e=", "f=[1,{}]", 'g="42"', "h=x=y", "i=-1.5e3", "j=12345678901234567890") == {
        "a": 1,
        "b": True,
        "c": None,
        "d": "a b",
        "e": "",
        "f": [1, {}],
        "g": "42",
        "h": "x=y",
        "i": -1500.0,
        "j": 12345678901234567890,
    }
    # Not JSON, whatever Python's decoder reads.
    assert fields("a=NaN", "b=Infinity", "c=1e999", "d=[NaN]", "e=01", "f=True", "g=[cinematic] cat") == {
        "a": "NaN",
        "b": "Infinity",
        "c": "1e999",
        "d": "[NaN]",
        "e": "01",
        "f": "True",
        "g": "[cinematic] cat",
    }
    assert capsys.readouterr().err == ""
    assert fields('a={"x": 1') == {"a": '{"x": 1'} and "is sent as text" in capsys.readouterr().err
    assert fields("a=" + "[" * 100_000)["a"][0] == "["


def test_dots_lead_into_objects_and_lists() -> None:
    assert fields("a.b=1", "a.c.d=2", r"x\.y=3") == {"a": {"b": 1, "c": {"d": 2}}, "x.y": 3}
    assert fields("l.0.s=1", "l.0.t=2", "l.1=x") == {"l": [{"s": 1, "t": 2}, "x"]}
    assert fields("o.1=x") == {"o": {"1": "x"}}
    for words in (["a=1", "a=2"], ["a=1", "a.b=2"], ["a.b=2", "a=1"], ["l.0=1", "l.2=3"], ["l.0=1", "l.x=3"], ["a..b=1"], ["=1"], ["a:=1"]):
        with pytest.raises(UsageError):
            fields(*words)


def test_files_are_uploads_or_the_whole_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, whole = tmp_path / "a=@b.png", tmp_path / "whole.json"
    picture.write_bytes(b"")
    whole.write_text('{"a": {"b": 1, "c": 2}, "l": [1]}')
    assert fields(f"image={json.dumps(f'@{picture}')}", f"images.0=@{picture}") == {"image": f"@{picture}", "images": [picture]}
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fields("image=@~/a=@b.png") == {"image": picture}
    assert fields("a.b=3", f"@{whole}", "l.1=2") == {"a": {"b": 3, "c": 2}, "l": [1, 2]}
    for words in ([f"@{whole}", "-"], [f"@{picture}"], [f"@{tmp_path}"], [f"x=@{tmp_path}"], ["x=@"], [f"@{whole}", "a.b.c=1"]):
        with pytest.raises(UsageError):
            fields(*words)
    whole.write_text("[1]")
    with pytest.raises(UsageError, match="must contain a JSON object"):
        fields(f"@{whole}")


def test_standard_input_is_an_input(emulator: Emulator) -> None:
    ended = fal("run", "emulator/echo", "-", "b=2", "--json", stdin=b'{"a": 1}', env=emulator.environment())
    assert ended.json["body"] == {"a": 1, "b": 2}
    assert fal("run", "emulator/echo", "-", stdin=b'{"a": ', env=emulator.environment()).code == 2
