"""The report in each format, and the command with its arguments and exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, write_project
from handbook.report import FORMATS, Finding, Report, Verdict

REPORT = Report(
    blocks=[
        Verdict("a.md", 3, "python", "fail", "name 'x' is not defined"),
        Verdict("a.md", 9, "python", "excused", "needs a star"),
        Verdict("b c/d,e.md", 1, "", "pass"),
    ],
    findings=[
        Finding("a.md", 4, 7, "exception", "100 %\nof it: x, y::z"),
        Finding("b c/d,e.md", 1, 1, "python-syntax-warning", "odd", "warning"),
    ],
    pages=2,
    seconds={"trace": 1.234},
)


def printed(name: str, report: Report = REPORT) -> str:
    """Return the report in a format; it ends its last line."""
    text = FORMATS[name](report)
    assert text.endswith("\n") or not text
    return text


def test_json() -> None:
    """Blocks, findings and totals, with the keys that other programs rely on."""
    data = json.loads(printed("json"))
    assert list(data) == ["blocks", "findings", "totals"]
    assert data["blocks"][0] == {
        "file": "a.md",
        "line": 3,
        "language": "python",
        "verdict": "fail",
        "reason": "name 'x' is not defined",
    }
    assert data["findings"][0] == {
        "file": "a.md",
        "line": 4,
        "column": 7,
        "rule": "exception",
        "message": "100 %\nof it: x, y::z",
        "level": "error",
    }
    totals = data["totals"]
    assert (totals["pages"], totals["blocks"], totals["findings"]) == (2, 3, 2)
    assert (totals["pass"], totals["fail"], totals["excused"]) == (1, 1, 1)
    assert (totals["python"], totals["python_excused"]) == (2, 1)
    assert totals["python_excused_percent"] == 50.0
    assert totals["languages"] == {"": 1, "python": 2}


def test_text() -> None:
    """One line per finding, one per excuse, and the totals at the end."""
    lines = printed("text").split("\n")
    assert lines[0] == "a.md:4:7: exception 100 % of it: x, y::z"
    assert "b c/d,e.md:1:1: python-syntax-warning odd [warning]" in lines
    assert "a.md:9: excused (python): needs a star" in lines
    assert lines[-2].startswith("3 blocks on 2 pages: 1 pass, 1 fail, 1 excused (Python: 1 of 2")


def test_github() -> None:
    """Workflow commands, with what GitHub asks to be escaped."""
    assert printed("github").split("\n") == [
        "::error file=a.md,line=4,col=7,title=exception::100 %25%0Aof it: x, y::z",
        "::warning file=b c/d%2Ce.md,line=1,col=1,title=python-syntax-warning::odd",
        "",
    ]
    assert printed("github", Report()) == ""
    odd = Report(findings=[Finding("a:b.md", 1, 1, "mkdocs", "x")])
    assert "file=a%3Ab.md," in printed("github", odd)


def test_sarif() -> None:
    """The parts that SARIF 2.1.0 requires."""
    log = json.loads(printed("sarif"))
    assert log["version"] == "2.1.0" and "sarif" in log["$schema"]
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "check"
    assert [rule["id"] for rule in driver["rules"]] == ["exception", "python-syntax-warning"]
    assert [r["level"] for r in run["results"]] == ["error", "warning"]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "b%20c/d%2Ce.md"
    assert place["region"] == {"startLine": 1, "startColumn": 1}
    for result in run["results"]:
        assert result["ruleId"] and result["message"]["text"]
    assert run["invocations"][0]["executionSuccessful"] is True


def test_uncovered_is_in_every_format() -> None:
    """No format hides that coverage is not established."""
    report = Report(uncovered=["a.md: 50 % lost"])
    for name in FORMATS:
        text = printed(name, report)
        assert "50 % lost" in text or "50 %25 lost" in text, name
    log = json.loads(printed("sarif", report))
    assert log["runs"][0]["invocations"][0]["executionSuccessful"] is False


def test_status() -> None:
    """0 clean, 1 an error, 3 not covered; warnings alone are clean."""
    assert Report().status == 0
    assert REPORT.status == 1
    assert Report(findings=REPORT.findings[1:]).status == 0
    assert Report(findings=REPORT.findings, uncovered=["x"]).status == 3


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `scripts/check` as its own process, in this environment."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "check"), *map(str, arguments)],
        env={**os.environ, "HANDBOOK_ENVIRONMENT": str(ROOT / ".venv")},
        cwd=cwd,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a clean page and, in a folder, one with an error."""
    folder = tmp_path_factory.mktemp("site")
    pages = {
        "good.md": "# G\n\n```python\nx = 1\n```\n",
        "sub/bad.md": "# B\n\n```python\nx = (\n```\n",
        "sub/deep/good.md": "# D\n\n```json\n{}\n```\n",
    }
    write_project(folder, pages)
    return folder


@pytest.mark.parametrize(
    ("paths", "blocks", "status"),
    [
        ([], 3, 1),
        (["good.md"], 1, 0),
        (["docs/good.md"], 1, 0),
        (["sub"], 2, 1),
        (["docs/sub/deep", "good.md"], 2, 0),
        (["docs"], 3, 1),
    ],
)
def test_paths(site: Path, paths: list[str], blocks: int, status: int) -> None:
    """Paths limit the report, relative to the working folder or to docs."""
    done = run("--no-run", "--format", "json", *paths, cwd=site)
    assert (done.returncode, done.stderr) == (status, "")
    assert json.loads(done.stdout)["totals"]["blocks"] == blocks


def test_text_of_the_command(site: Path) -> None:
    """Findings are printed as path:line:column: rule message."""
    done = run("--config", site / "mkdocs.yml", "--no-run")
    assert done.stdout.startswith("sub/bad.md:4:5: python-syntax '(' was never closed\n")


def test_run_of_the_command(site: Path) -> None:
    """Without --no-run, the blocks are run and linted."""
    done = run("--config", site / "mkdocs.yml", "--format", "json", "good.md")
    assert done.returncode == 0, done.stderr
    assert {"run", "lint"} <= set(json.loads(done.stdout)["totals"]["seconds"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.md"], "nowhere.md: no page of the site"),
        (["mkdocs.yml"], "mkdocs.yml: no page of the site"),
        (["--config", "absent.yml"], "absent.yml: no such file"),
        (["--format", "xml"], "invalid choice"),
        (["--colour"], "unrecognized arguments"),
    ],
)
def test_usage(site: Path, arguments: list[str], message: str) -> None:
    """What makes no sense is said on standard error, with status 2."""
    done = run("--no-run", *arguments, cwd=site)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("site_name: [", "mkdocs.yml"),
        ("site_name: x\ntheme: absent\n", "absent"),
        ("site_name: x\nplugins: [absent]\n", "absent"),
        ("site_name: x\nmarkdown_extensions: [absent]\n", "absent"),
        ("site_name: x\ndocs_dir: absent\n", "absent"),
    ],
)
def test_broken_project(tmp_path: Path, config: str, message: str) -> None:
    """A project that does not build is not covered: status 3, and why."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "mkdocs.yml").write_text(config)
    done = run("--no-run", "--format", "json", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["totals"]["uncovered"]


def test_macro_that_fails(tmp_path: Path) -> None:
    """A page whose macros fail is not covered."""
    macros = {"macros": {"on_error_fail": True}}
    config = write_project(tmp_path, {"a.md": "# A\n\n{{ absent() }}\n"}, plugins=[macros])
    assert run("--no-run", "--config", config).returncode == 3
