"""Runs the programs that are measured, and the server that they talk to."""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# In seconds. No program takes nearly as long.
LONGEST = 900
# The variables of the caller that would change what the clients do.
CHANGING = ("FAL_", "HTTP", "ALL_P", "NO_P", "PYTHON")


@contextlib.contextmanager
def replaced(path):
    """A file beside `path` that takes its place at the end. An interruption leaves the old one whole."""
    beside = path.with_name(f".new-{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


class Bench:
    def __init__(self, programs, venv, quick):
        self.programs, self.python, self.quick = programs, venv / "bin" / "python", quick
        environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(CHANGING)}
        self.home = tempfile.TemporaryDirectory()
        self.environment = environment | {"HOME": self.home.name, "LD_LIBRARY_PATH": str(programs)}
        # The programs and the server inherit the limit.
        _, self.most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.most_files, self.most_files))

    def script(self, name):
        return [self.python, HERE / "python" / f"{name}.py"]

    def run(self, *command):
        words = [str(word) for word in command]
        try:
            done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False, timeout=LONGEST)
            if done.returncode == 0:
                return done
            end, printed = f"ended with {done.returncode}", done.stdout + done.stderr
        except subprocess.TimeoutExpired as late:
            # Bytes, although the program's output is text.
            end, printed = f"did not end in {LONGEST} s", ((late.stdout or b"") + (late.stderr or b"")).decode(errors="replace")
        sys.exit(f"{' '.join(words)} {end}:\n{printed}")

    def measured(self, *command):
        """The JSON that a program prints last."""
        return json.loads(self.run(*command).stdout.splitlines()[-1])

    def process(self, *command):
        """What a whole process takes: seconds, seconds of CPU, and MiB of resident memory at most."""
        return self.measured(self.programs / "process-c", *command)

    @contextlib.contextmanager
    def server(self, *arguments):
        process = subprocess.Popen(
            [str(self.programs / "bench-server"), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait()

    def rounds(self, peers, rounds, measure=None):
        """The figures of each peer by its name, each round's after the other's: A B A B."""
        found = {name: [] for name in peers}
        for _ in range(min(rounds, 2) if self.quick else rounds):
            for name, command in peers.items():
                found[name].append((measure or self.measured)(*command))
        return found
