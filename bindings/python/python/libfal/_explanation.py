"""Where a credential comes from: plain values without secrets, made from the core's report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Source:
    """What one source had to offer."""

    source: str
    """Its stable name, such as "FAL_KEY" or "profile"."""
    state: str
    """"used", "shadowed", "absent", "malformed", "skipped" or "failed"."""
    location: str | None = None
    """The variable, the file and line, or the profile."""
    key_id: str | None = None
    """The public half of the key that was found."""
    notes: tuple[str, ...] = ()
    """Remarks, one sentence each; the reason first, if the source is malformed, skipped or failed."""

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
    """What to do about it."""
    source: str | None = None
    """The source that is malformed."""
    location: str | None = None
    """Where that is."""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Explanation:
    """Every source of a credential, in the order in which they are tried. str() is a table for people."""

    sources: tuple[Source, ...]
    """Every source, in order."""
    problem: Problem | None
    """Why there is no credential, if there is none."""
    report: str = field(repr=False)
    """The core's report, as JSON text."""
    table: str = field(repr=False)
    """The same for people."""

    @property
    def used(self) -> Source | None:
        """The source of the credential."""
        return next((source for source in self.sources if source.state == "used"), None)

    def to_dict(self) -> dict[str, Any]:
        """The report for programs: {"used", "sources", "problem"}."""
        report: dict[str, Any] = json.loads(self.report)
        return report

    def to_json(self) -> str:
        """The same as JSON text."""
        return self.report

    def __str__(self) -> str:
        return self.table


def from_report(report: str, table: str) -> Explanation:
    """The explanation of a report of the core."""
    told = json.loads(report)
    sources = tuple(Source(**{**source, "notes": tuple(source["notes"])}) for source in told["sources"])
    problem = Problem(**told["problem"]) if told["problem"] else None
    return Explanation(sources, problem, report, table)


# The name to show and to pickle is the public one.
for _class in (Source, Problem, Explanation):
    _class.__module__ = "libfal"
