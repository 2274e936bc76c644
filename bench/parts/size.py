"""The sizes of the libraries."""

import tempfile
from pathlib import Path

from tables import number, table

TITLE = "Size of the libraries"
NOTE = "As `make install` installs them, and without symbols."


def measure(bench):
    found = {name: (bench.programs / name).stat().st_size for name in ["libfal.so", "libfal.a"]}
    with tempfile.NamedTemporaryFile() as stripped:
        bench.run("strip", "-o", stripped.name, bench.programs / "libfal.so")
        found["libfal.so, stripped"] = Path(stripped.name).stat().st_size
    return found


def show(found):
    return [table(["file", "MB"], [[name, number(value / 1e6)] for name, value in found.items()])]
