"""Tests of drawing.py without a network, a key and a bill: pip install "libfal[emulator]" pytest, then pytest."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import drawing
import pytest
from libfal.pytest_plugin import Emulator

import libfal


def test_a_picture_is_made_once(fal_emulator: Emulator) -> None:
    assert drawing.draw("a lighthouse").endswith(".png")
    posts = fal_emulator.requests(method="POST")
    assert [post["path"] for post in posts] == ["/fal-ai/flux/schnell"]
    assert posts[0]["body"] == {"prompt": "a lighthouse"}


@pytest.mark.parametrize("turn", ["first", "second"])
def test_each_test_has_a_new_fal(fal_emulator: Emulator, turn: str) -> None:
    assert fal_emulator.requests() == []
    assert fal_emulator.control("GET", "stats")["executions"] == {}
    drawing.draw_later(turn)
    assert len(fal_emulator.requests(method="POST", host="queue.fal.run")) == 1


def test_a_busy_service_costs_nothing(fal_emulator: Emulator) -> None:
    fal_emulator.fault({"type": "status", "status": 500}, method="POST")
    assert drawing.draw_patiently("a lighthouse") is None
    assert not any(request["executed"] for request in fal_emulator.requests())


def test_an_endpoint_of_my_own(fal_emulator: Emulator) -> None:
    fal_emulator.define("acme/poem", output={"text": "About {{ input.topic }}"}, fail=["422 when not input.topic"])
    assert libfal.run("acme/poem", {"topic": "the sea"}) == {"text": "About the sea"}
    with pytest.raises(libfal.FalClientHTTPError):
        libfal.run("acme/poem", {"topic": ""})


def test_the_key_of_the_user_is_not_used(fal_emulator: Emulator) -> None:
    drawing.draw("a lighthouse")
    used = {request["headers"]["authorization"]["key_id"] for request in fal_emulator.requests()}
    assert used == {fal_emulator.api_key.partition(":")[0]}
    explained = libfal.explain()
    assert explained.used and explained.used.source == "FAL_KEY"


def test_a_client_may_have_other_rights(fal_emulator: Emulator) -> None:
    with fal_emulator.client(key=fal_emulator.admin_key) as client:
        assert client.check().scope == "ADMIN"
    with fal_emulator.client(key=fal_emulator.create_key("API")) as client:
        assert client.check().scope == "API"


def test_asyncio(fal_emulator: Emulator) -> None:
    async def draw() -> object:
        async with fal_emulator.async_client() as client:
            return await client.run("emulator/echo", {"prompt": "a lighthouse"})

    assert asyncio.run(draw())


def test_another_program(fal_emulator: Emulator) -> None:
    code = "import drawing; print(drawing.draw('a lighthouse'))"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **fal_emulator.environment()})
    assert len(fal_emulator.requests(method="POST")) == 1


def test_what_a_session_keeps(fal_emulator_session: Emulator) -> None:
    drawing.draw("a lighthouse")
    assert len(fal_emulator_session.requests(method="POST")) == 1


def test_what_a_session_has_kept(fal_emulator_session: Emulator) -> None:
    assert len(fal_emulator_session.requests(method="POST")) == 1
