"""Build the site: strict, and the same bytes from the same sources."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def epoch() -> str:
    """Return the time of the last commit, in seconds since 1970.

    It stands in for the time of the build, so that two builds of one commit
    are byte-identical. Outside a git checkout it is a fixed day.
    """
    result = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "1767225600"  # 1 January 2026, UTC


def environment() -> dict[str, str]:
    """Return the environment that builders run in."""
    return {
        "SOURCE_DATE_EPOCH": epoch(),
        "NO_MKDOCS_2_WARNING": "1",
        **os.environ,
    }


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="build", description=__doc__)
    parser.add_argument(
        "--site-dir", type=Path, default=ROOT / "site", help="default: site/"
    )
    options = parser.parse_args(argv)
    # Not --quiet: it would hide the warnings from --strict as well.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    command += ["--site-dir", str(options.site_dir.resolve())]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    for line in result.stderr.splitlines():
        if not line.startswith("INFO"):
            print(line, file=sys.stderr)
    if result.returncode == 0:
        pages = len(list(options.site_dir.rglob("*.html")))
        print(f"{pages} pages in {os.path.relpath(options.site_dir)}/")
    return result.returncode
