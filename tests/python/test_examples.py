"""Runs the examples as a user runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import EMULATOR, ROOT, Emulator
from test_run import png_size


def picture(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "python" / "picture.py"), *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


def test_a_picture_is_made(emulator: Emulator, tmp_path: Path) -> None:
    out = tmp_path / "picture.png"
    result = picture("--size", "128x64", "--out", str(out), "a cat", **emulator.environment())
    assert (result.returncode, result.stderr) == (0, "")
    expected = rf"""key:      FAL_KEY, id {emulator.key_id}
request:  [0-9a-f-]{{36}}
picture:  {re.escape(str(out))} \(128x64\)
"""
    assert re.fullmatch(expected, result.stdout)
    assert png_size(out.read_bytes()) == (128, 64)


def test_without_a_key_it_says_what_to_do(emulator: Emulator) -> None:
    result = picture(FAL_EMULATOR_HOST=emulator.address)
    assert (result.returncode, result.stdout) == (1, "")
    message, remedy, *table = result.stderr.splitlines()
    assert message.startswith("error: no fal key found")
    assert remedy.startswith("do:    ") and "FAL_KEY=" in remedy
    heads = [re.split("  +", line)[0] for line in table]
    assert heads[:3] == ["SOURCE", "explicit key", "explicit token"] and "FAL_KEY_FILE" in heads


def test_the_keys_need_a_key_of_scope_admin(emulator: Emulator) -> None:
    refused = picture("keys", **emulator.environment())
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "scope ADMIN" in refused.stderr and emulator.key_id in refused.stderr and "FAL_KEY" in refused.stderr
    listed = picture("keys", FAL_EMULATOR_HOST=emulator.address, FAL_KEY=emulator.admin_key)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert emulator.key_id in listed.stdout


def test_a_key_is_made_used_listed_revoked_and_refused(emulator: Emulator) -> None:
    command = [sys.executable, str(ROOT / "examples" / "python" / "keys.py")]
    variables = {"FAL_EMULATOR_HOST": emulator.address, "FAL_KEY": emulator.admin_key}
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    made, listed, revoked = done.stdout.splitlines()[:3]
    assert re.fullmatch(r"made fake-api-\w+, which reads 2 prices", made) and listed == "listed: yes"
    assert revoked.startswith("revoked: fal answered 401")
    assert "fake-secret" not in done.stdout


def test_endpoints_of_the_guides_run_against_files(tmp_path: Path) -> None:
    folder = ROOT / "examples" / "emulator"
    files = sorted(folder.glob("*.toml"))
    assert len(files) == 5
    apps = [part for file in files for part in ("--apps", str(file))]
    command = [EMULATOR, "exec", *apps, "--", sys.executable, str(folder / "guides.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    for line in [
        "image_to_image",
        "  log: 40 steps at strength 0.95",
        "  image: image/jpeg 1024 x 768",
        "video",
        "  log: drawing 10 s",
        "  video: video/mp4",
        "speech_to_text",
        "  chunk: 1.5 3.25 and seven years ago.",
        "llm",
        "  event 2: openai/gpt-4o says:",
        "training",
        "  log: step 200",
        "  weights: pytorch_lora_weights.safetensors",
        "  config: config.json 37 bytes",
    ]:
        assert line in done.stdout.splitlines(), done.stdout
