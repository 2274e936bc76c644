"""The headers of a response."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any
else:
    from ._typing import Any, Iterable, Mapping


class Headers(dict[str, str]):
    """Headers by their names in lower case. A look-up ignores the case."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        super().__init__({name.lower(): value for name, value in (headers or {}).items()})

    @classmethod
    def of(cls, pairs: Iterable[Iterable[str]]) -> Headers:
        """Returns the headers of the core. The values of a repeated header are joined by commas, as HTTP allows."""
        headers = cls()
        for name, value in pairs:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name.lower() if isinstance(name, str) else name)

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)
