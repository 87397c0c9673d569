"""What the runner is asked to do, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..exchange import Exchange
from ..marks import Marks


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds; all follow from ``block``."""

    block: float = 20.0

    @property
    def request(self) -> float:
        """For the response to a request."""
        return self.block / 2

    @property
    def start(self) -> float:
        """For a server to accept connections."""
        return self.block * 3 / 4

    @property
    def scope(self) -> float:
        """For all blocks of an answer."""
        return self.block * 6


@dataclass
class Step:
    """One block of a scope.

    ``kind`` is "python", "file", "http", "output" or "console"; ``line`` the
    page's line of the fence, to which lines of ``source`` (from 1) are added.
    """

    fence: int
    kind: str
    file: str
    line: int
    source: str
    marks: Marks
    exchanges: list[Exchange] = field(default_factory=list)


@dataclass
class Scope:
    """The blocks of one answer or one check (``kind``), which share a folder."""

    number: int
    steps: list[Step]
    kind: str = "answer"


@dataclass
class Fault:
    """Something that a block did wrong, at a line of its source (0: the fence)."""

    line: int
    rule: str
    message: str


@dataclass
class Outcome:
    """What became of a step: "pass", "fail" or "excused" with its reason."""

    fence: int
    verdict: str = "pass"
    reason: str = ""
    faults: list[Fault] = field(default_factory=list)

    def fail(self, line: int, rule: str, message: str) -> None:
        """Note a fault; the step has failed."""
        self.verdict = "fail"
        self.faults.append(Fault(line, rule, message))
