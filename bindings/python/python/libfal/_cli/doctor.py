"""Looks for what could keep calls from working: the key, its scope, the account, each host of fal's, proxies, certificates, the clock.

Sends nothing that costs. The exit code is 3 if the key is at fault, and 1 if a host cannot be reached or the clock is wrong.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from . import _codes
from ._client import client as client_of
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    import libfal

EXAMPLES = """
libfal doctor
libfal doctor --json > report.json
"""
# None of these requests executes anything. What counts is that each is answered at all.
_URLS = {
    "models": "https://fal.run/",
    "queue": "https://queue.fal.run/",
    "tokens and uploads": "https://rest.fal.ai/.well-known/jwks.json",
    "Platform API": "https://api.fal.ai/v1/meta",
    "files": "https://v3.fal.media/",
}
_HOSTS = "FAL_EMULATOR_HOST", "FAL_RUN_HOST", "FAL_QUEUE_RUN_HOST", "FAL_REST_HOST", "FAL_PLATFORM_HOST", "FAL_CDN_HOST"
_PROXIES = "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"
_CERTIFICATES = "SSL_CERT_FILE", "SSL_CERT_DIR"
# A webhook is valid for five minutes, and a token for two.
_MOST_SKEW = 60.0
_PATIENCE = 15.0


def define(parser: argparse.ArgumentParser) -> None:
    pass


def execute(args: argparse.Namespace, out: Output) -> int:
    findings = Findings(out)
    options = {"default_timeout": args.timeout or _PATIENCE, "max_attempts": 1}
    _versions(findings)
    _key(args.profile, client_of(args, out, **options), findings)
    _surroundings(findings)
    # Without a key: none is needed to find out whether a host answers.
    _network(client_of(args, out, **options, profile=None, anonymous=True), findings)
    if out.json:
        out.document({"ok": findings.exit_code == _codes.OK, "findings": findings.found})
    return findings.exit_code


class Findings:
    """What was found. Each is printed as soon as it is known."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self.found: list[dict[str, str]] = []
        self.exit_code = _codes.OK

    def add(self, name: str, text: str) -> None:
        self._add("ok", name, text, "")

    def warn(self, name: str, text: str, remedy: str = "") -> None:
        self._add("warning", name, text, remedy)

    def fail(self, name: str, text: str, remedy: str, code: int = _codes.FAILED) -> None:
        self.exit_code = max(self.exit_code, code)
        self._add("failed", name, text, remedy)

    def _add(self, state: str, name: str, text: str, remedy: str) -> None:
        self.found.append({"name": name, "state": state, "text": text, "remedy": remedy})
        if not self._out.json:
            self._out.line(f"{state:<8}{name}: {text}")
            if remedy:
                self._out.line(f"{'':<8}do: {remedy}")


def _versions(findings: Findings) -> None:
    from .. import __version__

    python = f"{platform.python_implementation()} {platform.python_version()}"
    findings.add("versions", f"libfal {__version__}, {python}, {platform.platform()}")


def _key(profile: str | None, client: libfal.SyncClient, findings: Findings) -> None:
    from .. import FalClientError, explain

    found = explain(profile=profile)
    if found.problem:
        findings.fail("key", found.problem.message, found.problem.remedy, _codes.CREDENTIALS)
        return
    for source in found.sources:
        if source.state == "used":
            findings.add("key", f"{source.key_id or 'no id'}, from {source.location or source.source}")
        elif source.state == "shadowed" and found.used and source.key_id != found.used.key_id:
            unused = f"{source.source} has another key, {source.key_id or 'no id'}, which is not used"
            findings.warn("key", unused, f"{_remove(found.used)} if you mean that one. 'libfal explain' shows all sources.")
    try:
        check = client.check()
    except FalClientError as error:
        code = _codes.of(error.code, False)
        findings.fail("key", error.message, error.remedy, code if code == _codes.CREDENTIALS else _codes.FAILED)
        return
    _checked(check, findings)


def _remove(source: libfal.Source) -> str:
    return f"Unset {source.source}" if source.source.startswith("FAL_") else f"Remove the key of {source.source}"


def _checked(check: libfal.Check, findings: Findings) -> None:
    if not check.accepted:
        findings.fail("key", "fal refuses it", "Create another one at https://fal.ai/dashboard/keys.", _codes.CREDENTIALS)
        return
    findings.add("scope", check.scope or "fal does not say")
    if check.locked is not None:
        findings.fail("account", f"locked: {check.locked}", "See https://fal.ai/dashboard/billing.", _codes.CREDENTIALS)
    else:
        findings.add("account", check.account or "fal does not say")


def _surroundings(findings: Findings) -> None:
    for name in _HOSTS:
        if os.environ.get(name):
            findings.warn("hosts", f"{name} is {os.environ[name]}")
    for name in (*_PROXIES, *map(str.lower, _PROXIES)):
        if os.environ.get(name):
            value = os.environ[name]
            findings.add("proxy", f"{name} is {value if name.lower() == 'no_proxy' else _without_password(value)}")
    for name in _CERTIFICATES:
        place = os.environ.get(name)
        if place and not os.path.exists(place):
            findings.fail("certificates", f"{name} names {place}, which does not exist", f"Correct {name}, or remove it.")
        elif place:
            findings.add("certificates", f"{name} is {place}")


def _without_password(address: str) -> str:
    """Returns the address of a proxy without the name and the password in it."""
    return address.rpartition("@")[2] if "@" in address else address


def _network(client: libfal.SyncClient, findings: Findings) -> None:
    calls = {name: client.request_start("GET", url) for name, url in _URLS.items()}
    skews = [_reached(name, call, findings) for name, call in calls.items()]
    _clock([skew for skew in skews if skew is not None], findings)


def _reached(name: str, call: libfal.Operation, findings: Findings) -> float | None:
    """Reports whether a host answered. Returns the skew of the clock in seconds, if the answer shows it."""
    from .. import FalClientError

    host = urlsplit(_URLS[name]).hostname
    try:
        headers = call.result().headers
    except FalClientError as error:
        if error.status_code in (None, 407):
            findings.fail("network", f"{name} ({host}): {error.message}", error.remedy)
            return None
        headers = error.response_headers
    findings.add("network", f"{name} ({host}) answers")
    return _skew(headers)


def _skew(headers: Any) -> float | None:
    try:
        return time.time() - parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None


def _clock(skews: list[float], findings: Findings) -> None:
    if not skews:
        findings.warn("clock", "no answer shows the time")
        return
    # An answer may have been on its way for a while.
    skew = min(skews, key=abs)
    if abs(skew) > _MOST_SKEW:
        way = "ahead of" if skew > 0 else "behind"
        findings.fail("clock", f"{abs(skew):.0f} s {way} fal's", "Set the clock of this computer: webhooks and logins depend on it.")
    else:
        findings.add("clock", "agrees with fal's")
