"""Each sample of the pages runs and prints what its page shows. Links, anchors and navigation are complete.

On a page, `<!-- not run: reason -->` stands above a block that cannot run, and `<!-- then` begins a check that is not shown. A text
block below a sample is what the sample prints; … stands for anything within a line.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import EMULATOR, ROOT, Emulator
from samples import SEPARATOR

import libfal

DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*DOCS, ROOT / "README.md", ROOT / "bindings" / "python" / "README.md"]
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>not run: [^>]+|then) ?(?:-->)?\n)?"
    r"(?:```(?P<language>\w+)\n(?P<code>.*?)^```$|(?<=then\n)(?P<check>.*?)^-->$)",
    re.MULTILINE | re.DOTALL,
)
NOT_RUN = 0


class Sample(NamedTuple):
    language: str
    line: int
    code: str
    is_run: bool


def samples(page: Path) -> list[Sample]:
    text = page.read_text()
    found = []
    for match in BLOCK.finditer(text):
        language = match["language"] or "python"
        if language in ("python", "sh", "text"):
            code = match["code"] or match["check"] or ""
            line = text.count("\n", 0, match.start("code" if match["code"] is not None else "check")) + 1
            kind = "pytest" if "(fal_emulator)" in code else language
            found.append(Sample(kind, line, code, not (match["mark"] or "").startswith("not run")))
    return found


def expected(shown: str) -> re.Pattern[str]:
    return re.compile(re.escape(shown.strip()).replace("…", ".*"))


RUN = [page for page in PAGES if any(sample.language != "text" for sample in samples(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_samples_run_and_print_what_the_page_shows(page: Path, emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 a photo")
    (tmp_path / "scene.mp4").write_bytes(b"a scene " * 1000)
    name = str(page.relative_to(ROOT))
    run = [sample for sample in samples(page) if sample.language != "text" and sample.is_run]
    # The lines of a traceback are those of the page.
    job = [(one.language, name, "\n" * (one.line - 1) * (one.language == "python") + one.code) for one in run]
    environment = {**os.environ, **emulator.environment(), "FAL_EMULATOR_ADMIN_KEY": emulator.admin_key, "FAL_EMULATOR_BIN": EMULATOR}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [environment.get("PYTHONPATH"), str(Path(__file__).parent)]))
    done = subprocess.run(
        [sys.executable, "-c", "import samples; samples.main()"], input=json.dumps(job), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    printed = iter(done.stdout.split(f"{SEPARATOR}\n"))
    last = ""
    for sample in samples(page):
        if sample.language == "text":
            assert expected(sample.code).fullmatch(last.strip()), f"{name}:{sample.line} shows other than\n{last}"
        elif sample.is_run:
            last = next(printed)
        else:
            last = ""


def test_few_samples_do_not_run() -> None:
    assert sum(not sample.is_run for page in PAGES for sample in samples(page)) == NOT_RUN


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"^ +- (?:.*: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(str(page.relative_to(ROOT / "docs")) for page in DOCS)


def test_the_reference_has_every_name() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    shown = set(re.findall(r"^::: libfal\.(\w+)", pages, re.MULTILINE))
    # Functions of the module are methods of the default clients.
    left = {"__version__", "version_tuple", "sync_client", "async_client"}
    assert [name for name in libfal.__all__ if name not in shown | left and not hasattr(libfal.SyncClient, name.removesuffix("_async"))] == []


def test_blocks_begin_after_an_empty_line() -> None:
    """GitHub ends a paragraph where a table or a heading begins, the site does not."""
    wrong = []
    for page in PAGES:
        # Fences stand for themselves in both.
        text = re.sub(r"^```.*?^```$", "\n", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        lines = text.splitlines()
        for before, line in zip(lines, lines[1:]):
            begins = line.startswith("#") or (line.startswith("|") and not before.startswith("|"))
            ends = before.startswith("|") and not line.startswith("|")
            is_item = re.match(r"([-*]|\d+\.) ", line) and not re.match(r"\s*([-*]|\d+\.) |\s", before)
            if (begins or ends or is_item) and line and before:
                wrong.append(f"{page.relative_to(ROOT)}: {line}")
    assert not wrong, "\n".join(wrong)
