"""The commands upload and download."""

from __future__ import annotations

from pathlib import Path

from command import fal
from conftest import Emulator


def test_files_are_uploaded_and_downloaded(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one")
    (tmp_path / "b b.png").write_bytes(b"two")
    environment = emulator.environment()
    uploaded = fal("upload", "a.txt", "b b.png", cwd=tmp_path, env=environment)
    first, second = uploaded.out.split()
    assert (uploaded.code, uploaded.err) == (0, "") and first.endswith("a.txt")
    piped = fal("upload", "-", "--name", "c.bin", "--expires-in", "1h", "--json", stdin=b"\0three", cwd=tmp_path, env=environment)
    assert piped.json[0]["file"] == "-"
    for _ in range(2):
        assert fal("download", first, piped.json[0]["url"], "--out", "new", cwd=tmp_path, env=environment).code == 0
    contents = sorted(path.read_bytes() for path in (tmp_path / "new").iterdir())
    assert contents == [b"\0three", b"\0three", b"one", b"one"]
    there = fal("download", second, "--out", "a.txt", cwd=tmp_path, env=environment)
    assert there.code == 1 and "a.txt" in there.err and (tmp_path / "a.txt").read_bytes() == b"one"
    forced = fal("download", second, "--out", "a.txt", "--force", "--json", cwd=tmp_path, env=environment)
    assert forced.json == [{"url": second, "path": "a.txt"}] and (tmp_path / "a.txt").read_bytes() == b"two"
    assert fal("download", second, "--out", "-", cwd=tmp_path, env=environment).out == "two"


def test_what_cannot_be_transferred_is_told(emulator: Emulator, tmp_path: Path) -> None:
    environment = emulator.environment()
    (tmp_path / "there").write_bytes(b"")
    for words in (
        ["upload", "missing"],
        ["upload", "."],
        ["upload", "--name", "x", "-", "-"],
        ["upload", "--name", "x", "there"],
        ["download", "https://a.example/1", "https://a.example/2", "--out", "there"],
        ["download", "https://a.example/1", "https://a.example/2", "--out", "-"],
        ["download", "http://a.example/1"],
        ["download", "https://user:pass@a.example/1"],
        ["download", "https://a.example/1", "--force"],
    ):
        assert fal(*words, cwd=tmp_path, env=environment).code == 2
    assert "Write https://" in fal("download", "http://a.example/1", env=environment).err
    assert "- needs --name" in fal("upload", "-", cwd=tmp_path, env=environment).err
    assert emulator.arrivals() == []
    (tmp_path / "there").unlink()
    emulator.fault({"type": "status", "status": 404}, method="GET", times=None)
    (tmp_path / "a.txt").write_bytes(b"one")
    url = fal("upload", "a.txt", cwd=tmp_path, env=environment).out.strip()
    cut = fal("download", url, "--out", "cut.txt", cwd=tmp_path, env=environment)
    assert cut.code == 4 and cut.out == "" and "Check the URL" in cut.err
    assert fal("download", url, url, "--out", "new", cwd=tmp_path, env=environment).code == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "home"]
