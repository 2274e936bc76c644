"""The command doctor."""

from __future__ import annotations

import socket
from typing import Any

from command import Ended, fal
from conftest import Emulator


def findings(ended: Ended) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in ended.json["findings"]:
        found.setdefault(one["name"], []).append((one["state"], one["text"]))
    return found


def test_the_doctor_finds_nothing_wrong(emulator: Emulator) -> None:
    ended = fal("doctor", env=emulator.environment())
    assert ended.code == 0 and "failed" not in ended.out and ended.err == ""
    for text in ("libfal ", emulator.key_id, "from FAL_KEY", "scope: API", "fal.run) answers", "agrees with fal's", emulator.address):
        assert text in ended.out
    assert not any(one["executed"] for one in emulator.arrivals())


def test_the_doctor_names_what_is_wrong(emulator: Emulator) -> None:
    wrong = fal("doctor", "--json", env={"FAL_EMULATOR_HOST": emulator.address, "FAL_KEY": "fake-id:fake-secret-that-is-unknown"})
    assert wrong.code == 3 and not wrong.json["ok"] and findings(wrong)["key"][-1] == ("failed", "fal refuses it")
    assert fal("doctor", env={"FAL_EMULATOR_HOST": emulator.address}).code == 3
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        lost = fal("doctor", "--json", env={**emulator.environment(), "FAL_EMULATOR_HOST": f"127.0.0.1:{closed.getsockname()[1]}"})
    assert lost.code == 1 and [state for state, _ in findings(lost)["network"]] == ["failed"] * 5
    emulator.fault({"type": "hang"}, times=None)
    assert fal("doctor", "--timeout", "1", env=emulator.environment()).code == 1


def test_the_doctor_sees_the_clock_and_hides_passwords(emulator: Emulator) -> None:
    emulator.fault({"type": "status", "status": 404, "headers": {"date": "Sat, 01 Jan 2022 00:00:00 GMT"}}, method="GET", times=None)
    proxies = {"HTTPS_PROXY": "http://me:fake-secret-proxy@proxy.example:3128", "NO_PROXY": "127.0.0.1"}
    ended = fal("doctor", "--json", env={**emulator.environment(), **proxies, "SSL_CERT_FILE": "/nothing.pem"})
    found = findings(ended)
    assert ended.code == 1 and found["clock"][0][0] == "failed" and "ahead of fal's" in found["clock"][0][1]
    assert ("ok", "HTTPS_PROXY is proxy.example:3128") in found["proxy"]
    assert found["certificates"][0][0] == "failed" and "/nothing.pem" in found["certificates"][0][1]
