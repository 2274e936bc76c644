"""The report about the sources of a credential. It contains no secret."""

from __future__ import annotations

from ._libfal import Answer
from ._typing import fill

TYPE_CHECKING = False

if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any
else:
    from ._typing import Any, dataclass


@dataclass(frozen=True)
class Source:
    """The result of one source."""

    source: str
    """The stable name of the source, such as "FAL_KEY" or "profile"."""
    state: str
    """"used", "shadowed", "absent", "malformed", "skipped" or "failed"."""
    location: str | None = None
    """The variable, the file and line, or the profile."""
    key_id: str | None = None
    """The public half of the key."""
    notes: tuple[str, ...] = ()
    """Remarks. The first one is the reason, if the source is malformed, skipped or failed."""

    def __init__(
        self, source: str, state: str, location: str | None = None, key_id: str | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        fill(self, locals())

    def __str__(self) -> str:
        facts = [self.state, self.key_id, self.location if self.location != self.source else None, *self.notes]
        return f"{self.source}: {', '.join(fact for fact in facts if fact)}"


@dataclass(frozen=True)
class Problem:
    """Why there is no credential."""

    kind: str
    """"not_found", "keys_skipped" or "malformed"."""
    message: str
    """What is wrong."""
    remedy: str
    """How to correct it."""
    source: str | None = None
    """The malformed source."""
    location: str | None = None
    """The location of the malformed source."""

    def __init__(self, kind: str, message: str, remedy: str, source: str | None = None, location: str | None = None) -> None:
        fill(self, locals())

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Explanation:
    """All sources of a credential, in search order. str() returns a table for people."""

    # Both say what the other fields say.
    _omitted = "report", "table"

    sources: tuple[Source, ...]
    """All sources, in search order."""
    problem: Problem | None
    """Why there is no credential, if there is none."""
    report: str
    """The report as JSON text."""
    table: str
    """The report as a table for people."""

    def __init__(self, sources: tuple[Source, ...], problem: Problem | None, report: str, table: str) -> None:
        fill(self, locals())

    @property
    def used(self) -> Source | None:
        """The source of the credential."""
        return next((source for source in self.sources if source.state == "used"), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the report for programs: {"used", "sources", "problem"}."""
        # At its own import, _response.py needs this module.
        from ._response import decoded

        report: dict[str, Any] = decoded(Answer(self.report.encode()))
        return report

    def to_json(self) -> str:
        """Return the report for programs as JSON text."""
        return self.report

    def __str__(self) -> str:
        return self.table


def from_report(found: dict[str, Any], report: str, table: str) -> Explanation:
    """Returns the explanation in a report of the core."""
    sources = tuple(Source(**{**source, "notes": tuple(source["notes"])}) for source in found["sources"])
    problem = Problem(**found["problem"]) if found["problem"] else None
    return Explanation(sources, problem, report, table)


# So that repr() and pickle use the public name.
for _class in (Source, Problem, Explanation):
    _class.__module__ = "libfal"
