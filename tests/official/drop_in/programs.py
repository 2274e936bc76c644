"""Programs that import fal_client, which is libfal in half of them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

CLIENTS = ["fal_client", "libfal"]
#: Makes libfal the package of the name fal_client.
NAMED = Path(__file__).with_name("named")
#: How long a program may take that should end. Nothing is concluded from a time.
DEADLINE = 60


@dataclass
class Ended:
    code: int
    output: str
    errors: str


class Program:
    """A running program. `line` waits for a line that it prints, and `say` writes one that it reads."""

    def __init__(self, code: str, variables: dict[str, str], log: Path | None) -> None:
        self._log = log
        command = [sys.executable, "-c", textwrap.dedent(code)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self.process = subprocess.Popen(command, env=variables, text=True, **pipes)

    def line(self) -> str:
        """Returns the next line. Fails if there is none."""
        text = self.process.stdout.readline()
        if not text:
            ended = self.end()
            raise AssertionError(f"the program ended with {ended.code}: {ended.errors}")
        return text.rstrip("\n")

    def say(self, text: str) -> None:
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self, seconds: float = DEADLINE) -> Ended:
        """Waits for the end."""
        output, errors = self.process.communicate(timeout=seconds)
        if self._log:
            with self._log.open("a") as file:
                file.write(output + errors)
        return Ended(self.process.returncode, output, errors)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


class Programs:
    """Starts programs with one of the clients, a home directory of their own and the fake key, and kills those that are left."""

    KEY = "fake-id:fake-secret-of-the-program"

    def __init__(self, client: str, home: Path) -> None:
        self.client = client
        self.home = home
        self._all: list[Program] = []

    def start(self, code: str, **variables: str) -> Program:
        path = [str(NAMED)] if self.client == "libfal" else []
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "FAL_KEY": self.KEY,
            "PYTHONPATH": os.pathsep.join(filter(None, [*path, os.environ.get("PYTHONPATH")])),
            **variables,
        }
        # `make test` searches what libfal shows for secrets.
        logs = os.environ.get("TEST_LOGS") if self.client == "libfal" else None
        log = Path(logs, "drop_in.log") if logs else None
        program = Program(code, {name: value for name, value in environment.items() if value}, log)
        self._all.append(program)
        return program

    def run(self, code: str, **variables: str) -> Ended:
        return self.start(code, **variables).end()

    def output(self, code: str, **variables: str) -> str:
        """Returns what the program prints. Fails if the program does."""
        ended = self.run(code, **variables)
        assert ended.code == 0, f"the program ended with {ended.code}: {ended.errors}"
        return ended.output.strip()

    def close(self) -> None:
        for program in self._all:
            program.close()
