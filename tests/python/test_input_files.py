"""Files of an input on their way: uploaded, each once, with progress, or refused before the job is sent."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import pathlib
import threading
from typing import Any

import logs
import pytest
from conftest import Emulator

import libfal


def stored(emulator: Emulator, url: str) -> tuple[str, str]:
    """Returns the type and the digest of an uploaded file."""
    [file] = [it for it in emulator.control("GET", "files")["files"] if it["url"] == url]
    return file["content_type"], file["sha256"]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def executed(emulator: Emulator) -> list[dict[str, Any]]:
    return [it for it in emulator.arrivals() if it["path"].startswith("/emulator/echo")]


def test_an_input_arrives_with_the_urls_of_its_files(emulator: Emulator, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "picture.webp"
    path.write_bytes(b"picture")
    shared = bytearray(b"GIF89a shared")
    progress: list[tuple[int, int | None]] = []
    arguments = {
        "image_url": path,
        "nested": [{"a/b~c": shared}, {"again": shared}],
        "file": io.BytesIO(b"%PDF-1.7"),
        "big": 123456789012345678901234567890,
        "seed": 7,
    }
    client = emulator.client()
    arrived = client.run("emulator/echo", arguments, on_progress=lambda *facts: progress.append(facts))["body"]
    assert stored(emulator, arrived["image_url"]) == ("image/webp", digest(b"picture"))
    assert stored(emulator, arrived["nested"][0]["a/b~c"]) == ("image/gif", digest(bytes(shared)))
    assert arrived["nested"][1]["again"] == arrived["nested"][0]["a/b~c"] and arrived["seed"] == 7
    assert stored(emulator, arrived["file"]) == ("application/pdf", digest(b"%PDF-1.7"))
    assert progress[-1] == (len(shared) + 7 + 8, len(shared) + 7 + 8)

    async def main() -> None:
        seen: list[int] = []

        async def told(transferred: int, _total: int | None) -> None:
            await asyncio.sleep(0)
            seen.append(transferred)

        client = logs.async_client(emulator_host=emulator.address, key=emulator.api_key)
        answer = await client.subscribe("emulator/echo", {"a": b"\xff\xd8\xff"}, on_progress=told)
        assert stored(emulator, answer["body"]["a"]) == ("image/jpeg", digest(b"\xff\xd8\xff")) and seen[-1] == 3

    asyncio.run(main())


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_path_that_cannot_be_read_is_named_with_its_place(emulator: Emulator, tmp_path: pathlib.Path, name: str) -> None:
    with pytest.raises(libfal.ResourceError, match=r'^arguments\["images"\]\[1\]: cannot read the file '):
        emulator.client().submit("emulator/echo", {"images": [b"x", tmp_path / name]})
    assert emulator.arrivals() == []


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_an_event_loop_goes_on_while_an_input_is_encoded(library: str, emulator: Emulator) -> None:
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(library)
    went_on = threading.Event()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert went_on.wait(30)
            return super().read(size)

    async def go_on() -> None:
        await anyio.sleep(0.05)
        went_on.set()

    async def main() -> None:
        client = logs.async_client(emulator_host=emulator.address, key=emulator.api_key)
        async with anyio.create_task_group() as group:
            group.start_soon(go_on)
            answer = await client.run("emulator/echo", {"file": Slow(b"GIF89a")})
            assert stored(emulator, answer["body"]["file"]) == ("image/gif", digest(b"GIF89a"))
            with pytest.raises(TypeError, match=r'^arguments\["a"\]: object is neither JSON nor a file$'):
                await client.run("emulator/echo", {"a": object()})

    anyio.run(main, backend=library)


def test_a_bar_is_shown(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    client = emulator.client()
    client.run("emulator/echo", {"a": b"x" * 5000}, progress=True)
    assert "uploading" in capsys.readouterr().err
    url = client.upload(b"x" * 5000, "text/plain", progress=True)
    assert "uploading" in capsys.readouterr().err
    assert client.download(url, progress=True) == b"x" * 5000
    assert "downloading" in capsys.readouterr().err


def test_numbers_beside_a_file_keep_every_digit(emulator: Emulator) -> None:
    big = 10**300 + 7
    url = emulator.client().run("emulator/echo", {"big": big, "file": b"x"})["body"]["file"]
    text = f'{{"big":{big},"file":"{url}"}}'
    assert executed(emulator)[-1]["body_length"] == len(text)


@pytest.mark.parametrize("kind", ["folder", "missing", "pipe", "device", "unreadable"])
def test_what_is_no_file_is_refused_before_the_job(kind: str, emulator: Emulator, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "it.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = pathlib.Path("/dev/zero")
    elif kind == "unreadable":
        if os.geteuid() == 0:
            pytest.skip("root may read any file")
        path.write_bytes(b"")
        path.chmod(0)
    with pytest.raises(libfal.FalClientError, match="is not a regular file|cannot read the file") as caught:
        emulator.client().run("emulator/echo", {"image": path}, timeout=20)
    assert str(path) in str(caught.value) and not caught.value.may_have_executed and executed(emulator) == []


def test_a_file_that_changes_meanwhile_fails_the_call(emulator: Emulator, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "growing.bin"
    path.write_bytes(b"a" * (1 << 20))
    emulator.fault({"type": "none"}, path="/storage/upload/initiate", delay_ms=1500)
    operation = emulator.client().run_start("emulator/echo", {"file": path})
    emulator.arrivals(path="/storage/upload/initiate", wait_for=1)
    with path.open("ab") as file:
        file.write(b"b")
    with pytest.raises(libfal.FalClientError, match="changed"):
        operation.result(60)
    assert executed(emulator) == []


def test_an_upload_that_fails_sends_no_job(emulator: Emulator) -> None:
    emulator.fault({"type": "status", "status": 500}, path="/storage/upload/initiate", times=None)
    with pytest.raises(libfal.ServiceError):
        emulator.client(max_attempts=1).run("emulator/echo", {"a": b"x"})
    with pytest.raises(TypeError, match=r'^arguments\["b"\]: object is neither JSON nor a file$'):
        emulator.client().run("emulator/echo", {"a": b"x", "b": object()})
    assert executed(emulator) == []


def test_a_full_address_calls_the_endpoint(emulator: Emulator) -> None:
    client = emulator.client()
    for address in ("https://fal.run/emulator/echo", "https://fal.ai/models/emulator/echo/api?x=1"):
        assert client.run(address, {"a": 1})["path"] == "/emulator/echo"
    with pytest.raises(libfal.InvalidArgumentError):
        client.run("https://example.com/emulator/echo", {})
    assert len(executed(emulator)) == 2


def test_a_repository_that_fails_is_replaced(emulator: Emulator) -> None:
    emulator.fault({"type": "status", "status": 503}, path="/storage/upload/initiate")
    client = emulator.client(max_attempts=1)
    url = client.upload(b"data", "text/plain")
    assert stored(emulator, url) == ("text/plain", digest(b"data"))
    kinds = [it["query"] for it in emulator.arrivals(path="/storage/upload/initiate")]
    assert kinds == ["storage_type=fal-cdn-v3", "storage_type=gcs"]
    emulator.fault({"type": "status", "status": 503}, path="/storage/upload/initiate")
    with pytest.raises(libfal.ServiceError):
        client.upload(b"data", "text/plain", fallback_repository=[])


def test_settings_of_an_upload_reach_fal(emulator: Emulator) -> None:
    acl = libfal.StorageACL("hide", [libfal.StorageACLRule("alice", "allow")])
    emulator.client().upload(b"data", "text/plain", "a.txt", lifecycle=libfal.StorageSettings("1h", acl))
    sent = [it["headers"]["x-fal-object-lifecycle"] for it in emulator.arrivals() if "x-fal-object-lifecycle" in it["headers"]]
    assert sent and all('"expiration_duration_seconds":3600' in it and '"alice"' in it for it in sent)
