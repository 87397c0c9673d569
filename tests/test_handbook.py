"""The handbook itself: every block proven, every page whole."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT
from handbook.check import check
from handbook.report import Report, as_text


@pytest.fixture(scope="module")
def report() -> Report:
    return check(ROOT / "mkdocs.yml")


def test_every_block_is_accounted_for_and_none_fails(report: Report) -> None:
    assert report.status == 0, as_text(report)
    assert not [block for block in report.blocks if block.verdict == "fail"]


def test_at_most_three_percent_of_python_blocks_are_excused(report: Report) -> None:
    python = [block for block in report.blocks if block.language == "python"]
    excused = [block for block in python if block.verdict == "excused"]
    assert len(python) > 100
    assert len(excused) <= 0.03 * len(python), excused


def test_each_topic_has_three_to_six_checks() -> None:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        text = path.read_text("utf-8")
        questions = re.findall(r"(?m)^## .*\{ #\S+ \.(?:junior|mid|senior) \}", text)
        # In practice/ a question is an exercise itself.
        if questions and path.parent.name != "practice":
            checks = re.findall(r"(?m)^/{3,} check \|", text)
            assert 3 <= len(checks) <= 6, path


def test_each_proof_of_a_claim_names_its_question() -> None:
    """``tests/claims/`` holds ``test_<id of a question>__<what is claimed>``."""
    known = (ROOT / "docs" / "ids.txt").read_text("utf-8").split()
    names = [
        (path.name, name)
        for path in sorted((ROOT / "tests" / "claims").glob("test_*.py"))
        for name in re.findall(r"(?m)^def test_(\w+)", path.read_text("utf-8"))
    ]
    assert names
    for file, name in names:
        question, _, claim = name.partition("__")
        assert question.replace("_", "-") in known and claim, f"{file}: test_{name}"
