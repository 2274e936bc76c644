"""In a real browser, watches requests arrive on the emulator's page of requests, filters them, and opens them.

usage: requests.py EMULATOR OUT    where OUT takes screenshots
"""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from emulator import running
from webdriver import PATIENCE, chromium, until

EVIL = "</script><img src=x onerror=\"document.title='owned'\"><b>'&lt;"
MANY = 10_000


class Fal:
    """Sends requests to an emulator, as programs and tests do."""

    def __init__(self, started: dict) -> None:
        self.address, self.key = started["address"], started["api_key"]
        self.connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)

    def send(self, method: str, host: str, path: str, body: object = None, **headers: str) -> object:
        headers = {"Host": host, "Authorization": f"Key {self.key}", "Content-Type": "application/json", **headers}
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return json.loads(text) if text and answer.status < 500 else None

    def run(self, endpoint: str, body: object, **headers: str) -> object:
        return self.send("POST", "fal.run", f"/{endpoint}", body, **headers)

    def control(self, method: str, path: str, body: object = None) -> object:
        return self.send(method, self.address, f"/_emulator/{path}", body)


def rows(page) -> list:
    return page.texts("#rows tr .what strong")


def open_row(page, text: str) -> None:
    """Opens the newest request with this text."""
    found = page.script(
        "return [...document.querySelectorAll('#rows tr')].find((e) => e.textContent.includes(arguments[0]))?.dataset.ordinal;",
        text,
    )
    assert found, f"no row says {text}"
    page.click(f"#rows tr[data-ordinal='{found}'] .what")
    title = "const e = document.querySelector('#detail'); return !e.hidden && e.querySelector('h2')?.textContent;"
    until("it is open", lambda: text in (page.script(title) or ""))


def detail(page) -> str:
    return page.script("return document.querySelector('#detail').textContent;")


def live(page, fal: Fal) -> None:
    """Requests appear while the page is open, and change while they run."""
    until("it says that nothing arrived", lambda: page.text("#empty") == "Nothing has arrived yet.")
    until("the page is live", lambda: page.text("#live") == "Live")
    fal.run("fal-ai/flux/schnell", {"prompt": "a lighthouse at dusk", "image_size": "square"})
    until("the run is there", lambda: rows(page) == ["POST fal-ai/flux/schnell"])
    fal.send("POST", "queue.fal.run", "/emulator/job", {"ms": 60_000, "logs": ["half way"]})
    until("the job runs", lambda: "IN_PROGRESS" in page.texts("#rows .state"))
    fal.control("POST", "clock", {"advance_ms": 60_000})
    until("the job is done", lambda: "COMPLETED" in page.texts("#rows .state"))
    fal.run("fal-ai/veo3", {"prompt": "waves"})
    fal.run("emulator/echo", {"prompt": EVIL})
    fal.run("emulator/fail", {"status": 503, "body": {"detail": EVIL}})
    fal.run("nobody/knows", {})
    until("all are there", lambda: len(rows(page)) == 6)
    assert page.text("#count").startswith("6 requests"), page.text("#count")


def contents(page, fal: Fal, out: pathlib.Path) -> None:
    """What an opened request shows."""
    open_row(page, "flux")
    loaded = "const e = document.querySelector('#detail img'); return !!e && e.complete && e.naturalWidth;"
    until("the picture is shown", lambda: page.script(loaded) == 512)
    said = detail(page)
    for wanted in ("a lighthouse at dusk", "megapixel", fal.key.split(":")[0], "$FAL_KEY"):
        assert wanted in said, f"{wanted} is not in {said}"
    page.screenshot(str(out / "requests.png"))
    page.dark(True)
    page.screenshot(str(out / "requests-dark.png"))
    page.dark(False)

    before = fal.control("GET", "requests")["count"]
    line = page.text("#curl")
    environment = {"PATH": os.environ["PATH"], "FAL_KEY": fal.key}
    subprocess.run(["sh", "-c", line], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    again = fal.control("GET", f"requests?after={before}")["requests"]
    assert [(one["path"], one["outcome"], one["body"]["prompt"]) for one in again] == [
        ("/fal-ai/flux/schnell", 200, "a lighthouse at dusk")
    ], f"{line} sent {again}"

    open_row(page, "veo3")
    until("the film has a player", lambda: page.shows("#detail video"))
    open_row(page, "emulator/job")
    until("its way is shown", lambda: page.texts("#detail .way .state") == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"])
    assert "half way" in detail(page)
    open_row(page, "nobody/knows")
    until("it says what is missing", lambda: "no endpoint /nobody/knows" in detail(page))
    page.click("#close")


def escapes(page) -> None:
    """What programs send is text, wherever it is shown."""
    open_row(page, "emulator/echo")
    until("it is text", lambda: EVIL in page.texts("#rows .what .quiet"))
    assert EVIL in json.loads(page.texts("#detail pre")[0])["prompt"]
    open_row(page, "emulator/fail")
    found = page.script("return [document.title, document.images.length, document.querySelectorAll('b, main script').length];")
    assert found == ["Requests · fal-emulator", 0, 0], f"the page took text for markup: {found}"
    page.click("#close")


def filters(page) -> None:
    page.type("#filters [name=endpoint]", "emulator/*")
    until("only those are left", lambda: len(rows(page)) == 3)
    page.script("const e = document.querySelector('[name=status]'); e.value = 'failed'; e.dispatchEvent(new Event('input', {bubbles: true}));")
    until("only the failed one", lambda: rows(page) == ["POST emulator/fail"])
    page.click("#filters [type=reset]")
    until("all are back", lambda: len(rows(page)) == 7)
    page.type("#filters [name=text]", "LIGHTHOUSE")
    until("the text is found", lambda: len(rows(page)) == 2)
    page.click("#filters [type=reset]")
    page.type("#filters [name=key]", "fake-admin-*")
    until("none has that key", lambda: page.text("#empty") == "No request is like that.")
    page.click("#filters [type=reset]")
    until("all are back", lambda: len(rows(page)) == 7)


def sessions(page, fal: Fal) -> None:
    fal.run("emulator/echo", {"n": 1}, **{"X-Fal-Emulator-Session": "mine"})
    # A page that is read anew lists the sessions.
    page.click("#filters [type=reset]")
    until("it can be chosen", lambda: page.shows("#session"))
    page.script("const e = document.querySelector('#session'); e.value = 'mine'; e.dispatchEvent(new Event('change', {bubbles: true}));")
    until("it has one request", lambda: rows(page) == ["POST emulator/echo"])
    page.script("const e = document.querySelector('#session'); e.value = ''; e.dispatchEvent(new Event('change', {bubbles: true}));")
    until("all are back", lambda: len(rows(page)) == 7)


def many(page, fal: Fal, out: pathlib.Path) -> None:
    """The page holds some of ten thousand, reaches all, and begins anew with the emulator."""
    page.open(f"http://{fal.address}/dashboard/requests")
    fal.control("PUT", "settings", {"journal": {"arrivals": MANY, "body_bytes": 100_000}})
    for n in range(MANY + 10):
        fal.run("emulator/echo", {"n": n, "text": "x" * 100})
    until("the newest is there", lambda: f'"n":{MANY + 9}' in "".join(page.texts("#rows tr:first-child .quiet")))
    assert len(rows(page)) == 100
    until("it says what is gone", lambda: "no longer holds" in page.text("#gone"))
    first = int(page.script("return document.querySelector('#rows tr').dataset.ordinal;"))
    page.click("#older")
    older = "return Number(document.querySelector('#rows tr').dataset.ordinal);"
    until("an older page is there", lambda: page.script(older) == first - 100)
    # It stays while requests arrive.
    fal.run("emulator/echo", {"n": "new"})
    time.sleep(0.5)
    assert page.script(older) == first - 100
    page.screenshot(str(out / "requests-many.png"))
    page.click("#newest")
    until("the newest is back", lambda: page.script(older) == first + 1)
    fal.control("POST", "reset")
    until("all are gone", lambda: page.text("#empty") == "Nothing has arrived yet.")
    fal.run("emulator/echo", {"n": "after"})
    until("it goes on", lambda: len(rows(page)) == 1)


def narrow(page, out: pathlib.Path) -> None:
    page.size(420, 800)
    page.screenshot(str(out / "requests-narrow.png"))
    assert page.shows("#rows .state"), "the status is shown on every width"
    wide = page.script("return document.documentElement.scrollWidth - innerWidth;")
    assert wide <= 0, f"the page is {wide} pixels wider than the window"
    open_row(page, "emulator/echo")
    until("only the request is shown", lambda: page.shows("#detail") and not page.shows("#rows"))
    page.dark(True)
    page.screenshot(str(out / "requests-narrow-open.png"))
    page.dark(False)
    page.click("#close")
    until("the list is back", lambda: page.shows("#rows"))
    page.size(1100, 760)


def check(page, started: dict, out: pathlib.Path) -> None:
    fal = Fal(started)
    page.open(f"http://{fal.address}/dashboard/keys")
    page.click("#pages a")
    live(page, fal)
    contents(page, fal, out)
    escapes(page)
    filters(page)
    sessions(page, fal)
    many(page, fal, out)
    narrow(page, out)
    secret = fal.key.split(":")[1]
    assert secret not in page.script("return document.documentElement.outerHTML;"), "the page has the secret of a key"
    complaints = page.complaints()
    assert not complaints, f"the console complains: {complaints}"


def late(*_: object) -> None:
    raise SystemExit(f"browser: not done after {5 * PATIENCE} s")


def main() -> None:
    binary, out = sys.argv[1], pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGALRM, late)
    signal.alarm(5 * PATIENCE)
    with running(binary) as started, chromium() as page:
        try:
            check(page, started, out)
        except AssertionError:
            page.screenshot(str(out / "failed.png"))
            raise
    print(f"browser: requests were watched, opened, repeated, filtered and paged through, {MANY} of them")


if __name__ == "__main__":
    main()
