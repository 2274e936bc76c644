"""In a real browser, creates a key on the emulator's page, runs a program with it, revokes it, and checks the refusal.

usage: keys.py EMULATOR PROGRAM OUT    where PROGRAM is examples/c/picture and OUT takes screenshots
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from emulator import running
from webdriver import PATIENCE, chromium, until

CONTROL = "\ue009"
NULL = "\ue000"


def picture(program: str, address: str, key: str) -> tuple:
    """Runs the example with a key. Returns whether it made a picture, and its output."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "FAL_KEY": key, "FAL_EMULATOR_HOST": address}
        out = pathlib.Path(home, "picture.png")
        command = [program, "--size", "128x128", "--out", str(out), "a lighthouse"]
        ended = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE
        )
        assert key.split(":")[1] not in ended.stdout, "the program printed its secret"
        made = ended.returncode == 0 and out.read_bytes().startswith(b"\x89PNG")
        return made, ended.stdout


def create(page, name: str, scope: str) -> str:
    """Creates a key, and returns it as the page shows it once."""
    page.click("#create")
    page.type("#name", name)
    page.click(f"#scope-{scope.lower()}")
    page.click("#submit")
    shown = ["#created", "#problem:not(:empty)"]
    until("a key is made", lambda: any(map(page.shows, shown)))
    assert page.shows("#created"), f"instead of making a key, the page says: {page.text('#problem')}"
    return page.value("#secret")


def told(page) -> str:
    """Returns the page's notice of success or failure."""
    return until("the page says what it did", lambda: page.text("#notice"))


def check(page, address: str, program: str, out: pathlib.Path) -> None:
    page.open(f"http://{address}/dashboard/keys")
    until("the keys are listed", lambda: page.texts("#keys tr"))
    assert page.texts("#keys .scope") == ["ADMIN", "API"], "two keys exist from the start"

    # A key needs a name.
    page.click("#create")
    assert page.label("#name") == "Name"
    page.click("#submit")
    until("it asks for a name", lambda: page.text("#problem"))
    page.screenshot(str(out / "keys-create.png"))
    page.click("#creating [data-close]")

    key = create(page, "browser-test", "API")
    key_id, _, secret = key.partition(":")
    assert key_id.startswith("fake-api-") and secret.startswith("fake-"), "a key of scope API"
    assert page.label("#secret") == "Secret key"
    page.click("#copy")
    until("it was copied", lambda: page.text("#copy") == "Copied")
    page.click("#done")
    until("the secret is gone", lambda: page.value("#secret") == "")
    assert secret not in page.script("return document.documentElement.outerHTML;"), "the secret stays in the page"

    # Pastes the copied key.
    page.click("#create")
    page.type("#name", f"{CONTROL}v{NULL}")
    pasted = page.value("#name") == key
    assert pasted, "the clipboard has no key"
    page.click("#creating [data-close]")

    until("it is listed", lambda: any(key_id in text for text in page.texts("#keys .key")))
    assert page.text(f"[data-key='{key_id}'] .scope") == "API"
    page.screenshot(str(out / "keys.png"))
    page.dark(True)
    page.screenshot(str(out / "keys-dark.png"))
    page.dark(False)

    made, said = picture(program, address, key)
    assert made, f"no picture:\n{said}"

    page.click(f"[data-key='{key_id}'] button")
    assert (page.text("#doomed"), page.text("#doomed-id")) == ("browser-test", key_id)
    page.screenshot(str(out / "keys-revoke.png"))
    # Closing the dialog keeps the key.
    page.click("#revoking [data-close]")
    assert page.shows(f"[data-key='{key_id}']")
    page.click(f"[data-key='{key_id}'] button")
    page.click("#revoke")
    said = told(page)
    assert said == "Revoked browser-test.", f"instead of revoking the key, the page says: {said}"
    assert not page.shows(f"[data-key='{key_id}']"), "the key was revoked, says the page, and still lists it"

    made, said = picture(program, address, key)
    assert not made and "error:" in said and key_id in said, f"a revoked key works, or nobody says so:\n{said}"

    admin = create(page, "browser-admin", "ADMIN")
    assert admin.startswith("fake-admin-"), "a key of scope ADMIN"
    page.click("#done")
    complaints = page.complaints()
    assert not complaints, f"the console complains: {complaints}"


def late(*_: object) -> None:
    raise SystemExit(f"browser: not done after {5 * PATIENCE} s")


def main() -> None:
    binary, program, out = sys.argv[1:]
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGALRM, late)
    signal.alarm(5 * PATIENCE)
    with running(binary) as started, chromium() as page:
        try:
            check(page, started["address"], program, pathlib.Path(out))
        except AssertionError:
            page.screenshot(str(pathlib.Path(out, "failed.png")))
            raise
    print("browser: a key was created, copied, used, revoked and refused")


if __name__ == "__main__":
    main()
