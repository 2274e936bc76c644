"""The local fal, as a program: python -m libfal.emulator exec -- ./your-program

All arguments are those of fal-emulator, which `python -m libfal.emulator --help` lists. It is the program that FAL_EMULATOR_BIN names,
the one of the package libfal-emulator (pip install "libfal[emulator]"), or the one in PATH.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["program"]


def program() -> str:
    """Return the path of fal-emulator. Raise FileNotFoundError if there is none."""
    found = os.environ.get("FAL_EMULATOR_BIN") or _packaged() or shutil.which("fal-emulator")
    if found is None:
        raise FileNotFoundError(
            "cannot find the program fal-emulator: the package libfal-emulator is not installed, and PATH has no such program. "
            'Install it by pip install "libfal[emulator]", or set FAL_EMULATOR_BIN to the path of the program.'
        )
    return found


def _packaged() -> str | None:
    try:
        files = importlib.metadata.files("libfal-emulator") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    programs = [Path(str(file.locate())) for file in files if file.stem == "fal-emulator"]
    return next((str(program.resolve()) for program in programs if program.is_file()), None)


def _main() -> int:
    """Run the program in place of this process. Return its exit status where a process cannot be replaced."""
    try:
        found = program()
    except FileNotFoundError as error:
        return _cannot_start(str(error))
    command = [found, *sys.argv[1:]]
    try:
        if os.name != "nt":
            os.execv(found, command)
        return subprocess.run(command, check=False).returncode
    except OSError as error:
        return _cannot_start(f"cannot start {found}: {error}")


def _cannot_start(why: str) -> int:
    print(f"libfal.emulator: {why}", file=sys.stderr)
    return 127


if __name__ == "__main__":
    sys.exit(_main())
