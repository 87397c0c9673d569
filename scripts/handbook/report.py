"""Verdicts and findings, and the formats that they are printed in."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from urllib.parse import quote


@dataclass(frozen=True)
class Verdict:
    """What became of a block: "pass", "fail", or "excused" with its reason.

    ``line`` is the line of the opening fence, from 1.
    """

    file: str
    line: int
    language: str
    verdict: str
    reason: str = ""


@dataclass(frozen=True, order=True)
class Finding:
    """Something to mend; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    rule: str
    message: str
    level: str = "error"


@dataclass
class Report:
    """The result of a check; ``uncovered`` says why coverage is not established."""

    blocks: list[Verdict] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)
    pages: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The exit status: 0 clean, 1 findings, 3 coverage not established."""
        if self.uncovered:
            return 3
        return int(any(finding.level == "error" for finding in self.findings))

    def totals(self) -> dict[str, object]:
        """Count blocks by verdict and by language."""
        verdicts = Counter(block.verdict for block in self.blocks)
        python = [b for b in self.blocks if b.language in ("python", "py", "python3")]
        excused = sum(b.verdict == "excused" for b in python)
        return {
            "pages": self.pages,
            "blocks": len(self.blocks),
            "pass": verdicts["pass"],
            "fail": verdicts["fail"],
            "excused": verdicts["excused"],
            "python": len(python),
            "python_excused": excused,
            "python_excused_percent": round(100 * excused / max(len(python), 1), 1),
            "findings": len(self.findings),
            "languages": dict(sorted(Counter(b.language for b in self.blocks).items())),
            "seconds": {k: round(v, 2) for k, v in self.seconds.items()},
            "uncovered": self.uncovered,
        }


def as_text(report: Report) -> str:
    """Return one line per finding, then the totals."""
    lines = [
        f"{f.file}:{f.line}:{f.column}: {f.rule} {f.message.replace(chr(10), ' ')}"
        + ("" if f.level == "error" else f" [{f.level}]")
        for f in report.findings
    ]
    lines += [f"coverage: {text}" for text in report.uncovered]
    for block in report.blocks:
        if block.verdict == "excused":
            lines.append(
                f"{block.file}:{block.line}: excused ({block.language}): {block.reason}"
            )
    totals = report.totals()
    times = ", ".join(f"{k} {v:.1f} s" for k, v in report.seconds.items())
    lines.append(
        f"{totals['blocks']} blocks on {totals['pages']} pages: {totals['pass']} pass, "
        f"{totals['fail']} fail, {totals['excused']} excused "
        f"(Python: {totals['python_excused']} of {totals['python']}, "
        f"{totals['python_excused_percent']} %); {totals['findings']} findings"
        + (f" ({times})" if times else "")
    )
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> str:
    """Return one object: ``blocks``, ``findings`` and ``totals``."""
    data = {
        "blocks": [asdict(block) for block in report.blocks],
        "findings": [asdict(finding) for finding in report.findings],
        "totals": report.totals(),
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def as_github(report: Report) -> str:
    """Return workflow commands that annotate a change on GitHub."""

    def escape(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def value(text: str) -> str:
        return escape(text).replace(":", "%3A").replace(",", "%2C")

    lines = [
        f"::{'error' if f.level == 'error' else 'warning'} "
        f"file={value(f.file)},line={f.line},col={f.column},"
        f"title={value(f.rule)}::{escape(f.message)}"
        for f in report.findings
    ]
    lines += [f"::error title=coverage::{escape(text)}" for text in report.uncovered]
    return "\n".join([*lines, ""]) if lines else ""


def as_sarif(report: Report) -> str:
    """Return a log in SARIF 2.1.0 (OASIS)."""
    rules = sorted({finding.rule for finding in report.findings})
    results = [
        {
            "ruleId": f.rule,
            "level": f.level,
            "message": {"text": f.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(f.file)},
                        "region": {"startLine": f.line, "startColumn": f.column},
                    }
                }
            ],
        }
        for f in report.findings
    ]
    run = {
        "tool": {
            "driver": {"name": "check", "rules": [{"id": rule} for rule in rules]}
        },
        "results": results,
        "invocations": [
            {
                "executionSuccessful": not report.uncovered,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": text}}
                    for text in report.uncovered
                ],
            }
        ],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"


FORMATS = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
