"""The section "Develop without a bill" of README.md, as a new user follows it, with another emulator in fal's place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import EMULATOR, ROOT, Emulator


def blocks() -> list[str]:
    section = (ROOT / "README.md").read_text().split("## Develop without a bill\n")[1].split("\n## ")[0]
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", section, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() + "\n" for block in found if block.strip()]


def run(command: str, folder: Path, key: str, upstream: str) -> subprocess.CompletedProcess[str]:
    words = [{"fal-emulator": EMULATOR, "python": sys.executable}.get(word, word) for word in command.split()]
    if "record" in words:
        words[2:2] = ["--upstream", f"http://{upstream}"]
    environment = {**os.environ, "FAL_KEY": key, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_develop_without_a_bill(emulator: Emulator, tmp_path: Path) -> None:
    install, program, commands = blocks()
    assert install.startswith("pip install ")
    assert all((ROOT / part / "pyproject.toml").is_file() for part in re.findall(r"\./(\S+)", install))
    assert program.startswith("# draw.py\n")
    (tmp_path / "draw.py").write_text(program)
    made_up, record, replay = commands.splitlines()
    nobody = "fake-id:fake-secret-of-nobody"

    printed = run(made_up, tmp_path, nobody, emulator.address)
    assert printed.stdout.startswith("https://"), printed.stderr
    recorded = run(record, tmp_path, emulator.api_key, emulator.address)
    assert recorded.stderr == "fal-emulator: recorded 1 request and 0 files\n"
    replayed = run(replay, tmp_path, nobody, emulator.address)
    assert (replayed.stdout, replayed.stderr) == (recorded.stdout, "")
    assert printed.stdout != recorded.stdout

    text = (tmp_path / "recordings" / "fal-ai" / "flux" / "schnell" / "0001.json").read_text()
    assert recorded.stdout.strip() in text and "secret" not in text
    (tmp_path / "draw.py").write_text(program.replace("a lighthouse", "a ship"))
    failed = run(replay, tmp_path, nobody, emulator.address)
    assert failed.returncode == 1
    assert 'prompt: recorded "a lighthouse", given "a ship"' in failed.stderr
