"""Prepares the docstrings and signatures of the package for the reference.

The arguments in a docstring, a paragraph of lines `name: what it is`, become a list. A class without a docstring gets that of its base.
Private names of types are replaced by what they stand for.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Attribute, Class, Expr, ExprName, Extension, Function, Module

# Also `path, hint: as for run`.
ARGUMENT = re.compile(r"([a-z*][\w*]*(?:, [\w*]+)*): ")
STANDS_FOR = {
    "_AsyncPlatform": "AsyncPlatform",
    "_Client": "SyncClient | AsyncClient",
    "_DEFAULT_TIMEOUT": "120.0",
    "_Decode": "Callable[[bytes], Any]",
    "_Delivered": "str | tuple[str, float] | AppToken",
    "_Encode": "Callable[[Any], bytes]",
    "_Headers": "Mapping | Iterable[tuple]",
    "_Level": "str",
    "_ListName": "str",
    "_Message": "str | bytes",
    "_Name": "str",
    "_Path": "str | PathLike",
    "_Platform": "Platform",
    "_Priority": "str",
    "_Progress": "Callable[[int, int | None], object]",
    "_Repository": "str",
    "_Scope": "str",
    "_Seconds": "float",
    "_Status": "str",
}


def listed(text: str) -> str:
    # A name in angle brackets is no HTML.
    paragraphs = re.sub(r"<(?=[a-z])(?![^`\n]*`)", "&lt;", text).split("\n\n")
    return "\n\n".join(items(paragraph) if ARGUMENT.match(paragraph) else paragraph for paragraph in paragraphs)


def items(paragraph: str) -> str:
    """Returns a list with an item for each line that begins with a name. The other lines continue an item."""
    lines = (ARGUMENT.sub(r"- **`\1`**: ", line, count=1) if ARGUMENT.match(line) else f"  {line.strip()}" for line in paragraph.split("\n"))
    return "\n".join(lines)


def plain(*parts: Expr | str | None) -> None:
    """Replaces the private names in annotations and defaults."""
    for part in parts:
        if isinstance(part, ExprName):
            part.name = STANDS_FOR.get(part.name, part.name)
        elif isinstance(part, Expr):
            plain(*(name for name in part.iterate(flat=True) if isinstance(name, ExprName)))


class Reference(Extension):
    def on_function(self, *, func: Function, **_: Any) -> None:
        self.change(func)
        plain(func.returns)
        for parameter in func.parameters:
            plain(parameter.annotation, parameter.default)

    def on_class(self, *, cls: Class, **_: Any) -> None:
        self.change(cls)

    def on_attribute(self, *, attr: Attribute, **_: Any) -> None:
        plain(attr.annotation)

    def change(self, documented: Class | Function) -> None:
        if documented.docstring:
            documented.docstring.value = listed(documented.docstring.value)

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        for module in pkg.modules.values():
            for documented in module.classes.values():
                if not documented.is_alias and not documented.docstring:
                    documented.docstring = next((base.docstring for base in documented.resolved_bases if base.docstring), None)
