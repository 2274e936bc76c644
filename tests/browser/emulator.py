"""An emulator that runs while a test needs it."""

import contextlib
import json
import subprocess

from webdriver import PATIENCE


@contextlib.contextmanager
def running(program: str):
    """Runs an emulator and yields what it prints at its start. It ends with its standard input."""
    process = subprocess.Popen(
        [program, "serve", "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()
