"""Puts the files outside docs/ that a page links to on the site, so that each link holds there as it does in the repository."""

from __future__ import annotations

import logging
import posixpath
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
LOG = logging.getLogger("mkdocs.plugins.site")

# Sources whose documentation other tools build: the folder of that, and its place on the site.
BUILT = {
    "include/fal/fal.h": ("build/doc/c/html", "c"),
    "src/lib.rs": ("build/doc/rust", "rust"),
}
STARTS = {"c": "c/index.html", "rust": "rust/fal/index.html"}
# A script that npm brought, and its place on the site.
SCRIPT = ("build/npm-docs/node_modules/iframe-worker/shim/index.js", "assets/iframe-worker.js")
# The folder of the site for all other files.
OTHERS = "repository/"
HIDDEN = "---\nsearch:\n  exclude: true\n---\n\n"
LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def prose(text: str) -> list[str]:
    """Splits a page at its fences: every other part is prose."""
    return re.split(r"(?m)^(```.*?^```)", text, flags=re.DOTALL)


def path_of(file: File) -> str:
    """Returns the path in the repository of a page of the site."""
    if file.src_uri.startswith(OTHERS):
        path = file.src_uri.removeprefix(OTHERS)
        return path if (ROOT / path).is_file() else path.removesuffix(".md")
    return f"docs/{file.src_uri}"


def place(path: str) -> str:
    """Returns the place on the site of a path in the repository."""
    if path in BUILT:
        return STARTS[BUILT[path][1]]
    if path.startswith("docs/"):
        inside = path.removeprefix("docs/")
        return f"{inside}/README.md" if (ROOT / path).is_dir() else inside
    is_asset_or_page = path.endswith((".md", ".svg"))
    return OTHERS + path if is_asset_or_page else f"{OTHERS}{path}.md"


def target(file: File, link: str) -> str | None:
    """Returns the path in the repository that a link names."""
    parts = urlsplit(link)
    if parts.scheme or not parts.path:
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(path_of(file)), parts.path))


def shown(path: str) -> str:
    """Returns the page for a file or a folder that is no page itself."""
    whole = ROOT / path
    if whole.is_dir():
        names = sorted(one.name for one in whole.iterdir() if one.is_file())
        body = "\n".join(f"- [{name}]({posixpath.basename(path)}/{name})" for name in names)
    else:
        language = whole.suffix.lstrip(".") if whole.suffix else "sh"
        body = f"````{language}\n{whole.read_text()}\n````"
    return f"{HIDDEN}# {path}\n\n{body}\n"


def added(path: str, config: MkDocsConfig) -> File:
    options = {"inclusion": InclusionLevel.NOT_IN_NAV}
    if path in BUILT:
        folder, name = BUILT[path]
        start = STARTS[name]
        return File.generated(config, start, abs_src_path=str(ROOT / folder / posixpath.relpath(start, name)), **options)
    if path.endswith((".md", ".svg")):
        return File.generated(config, place(path), abs_src_path=str(ROOT / path), **options)
    return File.generated(config, place(path), content=shown(path), **options)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    source, destination = SCRIPT
    files.append(File.generated(config, destination, abs_src_path=str(ROOT / source)))
    waiting = [file for file in files if file.is_documentation_page()]
    while waiting:
        file = waiting.pop()
        for part in prose(file.content_string)[::2]:
            for _, link, _ in LINK.findall(part):
                path = target(file, link)
                if path and not files.get_file_from_path(place(path)) and (ROOT / path).exists():
                    new = added(path, config)
                    files.append(new)
                    if new.is_documentation_page():
                        waiting.append(new)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    def moved(match: re.Match[str]) -> str:
        path = target(page.file, match[2])
        if path is None:
            return match[0]
        link = posixpath.relpath(place(path), posixpath.dirname(page.file.src_uri) or ".")
        fragment = urlsplit(match[2]).fragment
        return f"{match[1]}{link}{'#' + fragment if fragment else ''}{match[3]}"

    parts = prose(markdown)
    parts[::2] = [LINK.sub(moved, part) for part in parts[::2]]
    return "".join(parts)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    if page.file.src_uri.startswith("reference/"):
        for name in sorted(set(re.findall(r">(_[A-Z]\w*)<", output))):
            LOG.warning("%s shows %s: docs/site/reference.py needs what it stands for", page.file.src_uri, name)
    return output


def on_post_build(*, config: MkDocsConfig) -> None:
    for folder, name in BUILT.values():
        shutil.copytree(ROOT / folder, Path(config.site_dir) / name, dirs_exist_ok=True)
