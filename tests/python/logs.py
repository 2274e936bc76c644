"""Clients that log at the most verbose level, so that `make test` can search their lines for secrets.

TEST_LOGS names the folder, which tests/secrets/search reads. Without it the lines are discarded.
"""

from __future__ import annotations

import functools
import os

import libfal


def write(level: str, line: str) -> None:
    folder = os.environ.get("TEST_LOGS")
    if folder:
        # One write for each line, because several processes append to the same file.
        with open(os.path.join(folder, "python.log"), "ab", buffering=0) as file:
            file.write(f"{level} {line}\n".encode())


client = functools.partial(libfal.SyncClient, log=write, log_level="debug")
"""The tests use this in place of libfal.SyncClient. An explicit log= takes precedence."""

async_client = functools.partial(libfal.AsyncClient, log=write, log_level="debug")
"""The same for libfal.AsyncClient."""
