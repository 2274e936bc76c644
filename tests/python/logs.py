"""Clients that log at the most verbose level, so that `make test` can search what they say for secrets.

TEST_LOGS names the folder (tests/secrets/search reads it); without it the lines are made and thrown away.
"""

from __future__ import annotations

import functools
import os

import libfal


def write(level: str, line: str) -> None:
    folder = os.environ.get("TEST_LOGS")
    if folder:
        # One write a line: several processes append to the same file.
        with open(os.path.join(folder, "python.log"), "ab", buffering=0) as file:
            file.write(f"{level} {line}\n".encode())


client = functools.partial(libfal.Client, log=write, log_level="debug")
"""What tests make in the place of libfal.Client; an own log= is stronger."""
