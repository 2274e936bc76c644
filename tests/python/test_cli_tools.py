"""The commands doctor, platform and webhook listen."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest
from command import Ended, end, fal, start
from conftest import Emulator

FORGED = {
    "x-fal-webhook-request-id": "1",
    "x-fal-webhook-user-id": "2",
    "x-fal-webhook-timestamp": "1700000000",
    "x-fal-webhook-signature": "ab" * 64,
}


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


def test_the_doctor_says_which_key_is_not_used(emulator: Emulator) -> None:
    fal("profiles", "store", "other", "--use", stdin=b"fake-id2:fake-secret-two")
    warnings = [one for one in fal("doctor", "--json", env=emulator.environment()).json["findings"] if one["state"] == "warning" and one["name"] == "key"]
    assert len(warnings) == 1 and "fake-id2" in warnings[0]["text"] and "Unset FAL_KEY" in warnings[0]["remedy"]


def test_an_operation_of_the_platform_is_called_by_name(emulator: Emulator) -> None:
    environment = {**emulator.environment(), "FAL_KEY": emulator.admin_key}
    prices = fal("platform", "models.pricing", "endpoint_id=fal-ai/flux/dev", "--json", env=environment)
    assert prices.code == 0 and prices.json
    lines = fal("platform", "models.list", "limit=1", "--max", "3", env=environment)
    assert lines.code == 0 and len([json.loads(line) for line in lines.out.splitlines()]) == 3
    assert len(fal("platform", "models.list", "--max", "2", "--json", env=environment).json) == 2
    listed = fal("platform", "--json").json
    assert "endpoint_id" in listed["models.pricing"]["parameters"] and listed["models.list"]["is_list"]
    assert "models.pricing: " in fal("platform").out
    shown = fal("platform", "models.pricing", "--help", env=environment)
    assert shown.code == 0 and listed["models.pricing"]["parameters"] in shown.out and "usage: libfal platform" in shown.out
    before = len(emulator.arrivals())
    wrong = ["models.nothing"], ["models.list", "limit=0"], ["models.list", "--max", "x"], ["models.list", f"q=@{__file__}"], ["keys.create"]
    for words in wrong:
        assert fal("platform", *words, env=environment).code == 2
    assert len(emulator.arrivals()) == before
    assert fal("platform", "account.billing", env=emulator.environment()).code == 3


def listening(emulator: Emulator, *words: str) -> tuple[subprocess.Popen[bytes], str]:
    process = start("webhook", "listen", "--port", "0", *words, env=emulator.environment())
    assert process.stderr
    line = process.stderr.readline().decode()
    found = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert found, line
    return process, found.group()


def test_a_webhook_is_verified_and_printed(emulator: Emulator) -> None:
    process, url = listening(emulator, "--count", "2", "--json")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(urllib.request.Request(url, b"{}", FORGED), timeout=30)
    for number in (1, 2):
        fal("submit", "emulator/job", f'output={{"n": {number}}}', "--webhook", url, env=emulator.environment())
    ended = end(process)
    assert ended.code == 0 and "refused: " in ended.err
    assert sorted(json.loads(line)["payload"]["n"] for line in ended.out.splitlines()) == [1, 2]


def test_a_silent_or_broken_client_holds_up_no_delivery(emulator: Emulator) -> None:
    process, url = listening(emulator, "--count", "1")
    address = ("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]))
    silent = [socket.create_connection(address) for _ in range(20)]
    silent[0].sendall(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc")
    for head, status in (
        (b"POST / HTTP/1.1\r\n\r\n", b" 411 "),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", b" 413 "),
        (b"GET / HTTP/1.1\r\n\r\n", b" 405 "),
        (b"BREW / HTTP/1.1\r\n\r\n", b" 501 "),
    ):
        with socket.create_connection(address) as odd:
            odd.sendall(head)
            with odd.makefile("rb") as file:
                answer = file.read()
            assert status in answer and b"<html" not in answer.lower()
    fal("submit", "emulator/job", "--webhook", url, env=emulator.environment())
    ended = end(process)
    assert ended.code == 0 and json.loads(ended.out)["status"] == "OK"
    for one in silent:
        one.close()


def test_listening_ends_by_a_signal_a_limit_or_a_used_port(emulator: Emulator) -> None:
    process, url = listening(emulator)
    used = fal("webhook", "listen", "--port", url.rstrip("/").rpartition(":")[2], env=emulator.environment())
    assert used.code == 1 and "cannot listen at port" in used.err
    process.send_signal(signal.SIGINT)
    ended = end(process)
    assert (ended.code, ended.err) == (130, "")
    late = fal("webhook", "listen", "--port", "0", "--timeout", "0.1", "--json", env=emulator.environment())
    assert (late.code, late.json["error"]["code"]) == (5, "FAL_E_DEADLINE")
