"""The part of WebDriver that these tests need, for a real ChromeDriver."""

import base64
import contextlib
import json
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

# Seconds for a program to start, run or end. Generous, because other builds may share the machine.
PATIENCE = 60

# Seconds to wait for a change in the page.
SOON = 20

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,760",
]


class Browser:
    """A headless Chromium with a profile of its own."""

    def __init__(self, driver: str, profile: str) -> None:
        self.driver = driver
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{session['sessionId']}"

    def ask(self, method: str, path: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.driver + path, data, {"Content-Type": "application/json"}, method=method)
        # Ignores proxies of the environment.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {json.load(error)['value']['message']}") from None

    def tell(self, path: str, **body: object) -> object:
        return self.ask("POST", self.session + path, body)

    def open(self, url: str) -> None:
        self.tell("/url", url=url)

    def script(self, text: str, *args: object) -> object:
        return self.tell("/execute/sync", script=text, args=args)

    def find(self, selector: str) -> str:
        """Returns the element, once it is visible."""
        shown = "const e = document.querySelector(arguments[0]); return e && e.checkVisibility() ? e : null;"
        return until(f"{selector} is shown", lambda: self.script(shown, selector))[ELEMENT]

    def click(self, selector: str) -> None:
        self.tell(f"/element/{self.find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        self.tell(f"/element/{self.find(selector)}/value", text=text)

    def value(self, selector: str) -> str:
        return self.script("return document.querySelector(arguments[0]).value;", selector)

    def text(self, selector: str) -> str:
        return self.ask("GET", f"{self.session}/element/{self.find(selector)}/text")

    def label(self, selector: str) -> str:
        """Returns the name that a screen reader reads."""
        return self.ask("GET", f"{self.session}/element/{self.find(selector)}/computedlabel")

    def texts(self, selector: str) -> list:
        return self.script("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent);", selector)

    def shows(self, selector: str) -> bool:
        return self.script(
            "const e = document.querySelector(arguments[0]); return !!e && e.checkVisibility();", selector
        )

    def screenshot(self, path: str) -> None:
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", self.session + "/screenshot")))

    def dark(self, dark: bool) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tell("/goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": [feature]})
        # Colours change gradually.
        time.sleep(0.3)

    def size(self, width: int, height: int) -> None:
        """Makes the page this wide and high, as on a screen of that size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.tell("/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=metrics)

    def complaints(self) -> list:
        """Returns the messages of the console."""
        return [entry["message"] for entry in self.tell("/se/log", type="browser")]

    def close(self) -> None:
        self.ask("DELETE", self.session)


def until(what: str, holds: object) -> object:
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not after {SOON} s: {what}")


@contextlib.contextmanager
def chromium():
    """Runs a browser and its ChromeDriver, and ends both afterwards."""
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        started = (re.search(r"successfully on port (\d+)", line) for line in driver.stdout)
        port = next(match[1] for match in started if match)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            browser = Browser(f"http://127.0.0.1:{port}", profile)
            try:
                yield browser
            finally:
                browser.close()
    finally:
        driver.terminate()
        driver.wait(PATIENCE)
        driver.stdout.close()
