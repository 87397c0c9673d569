"""The built site in a real Chromium, shared by the browser tests."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parent.parent
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files as a static host does, its own 404 page included."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def send_error(self, code: int, *args: Any, **kwargs: Any) -> None:
        page = Path(self.directory, "404.html")
        if code != 404 or not page.is_file():
            super().send_error(code, *args, **kwargs)
            return
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextlib.contextmanager
def served(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve ``folder`` on loopback; give the address without a last slash."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def build(folder: Path, site_url: str = "", **environment: str) -> str:
    """Build the site into ``folder`` with the project's command.

    ``site_url`` must be the address that the site is served at: where it is
    not, instant navigation falls back to ordinary links.
    """
    config = ROOT / "mkdocs.yml"
    made: Path | None = None
    if site_url:
        made = ROOT / f".mkdocs-test-{os.getpid()}.yml"
        made.write_text(f"INHERIT: mkdocs.yml\nsite_url: {site_url}/\n")
        config = made
    try:
        command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
        result = subprocess.run(
            [*command, "-f", str(config), "-d", str(folder)],
            cwd=ROOT,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        if made is not None:
            made.unlink()
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium that the test command found."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "no Chromium; run the tests with ./scripts/test"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def axe(page: Page) -> list[str]:
    """Return axe-core's violations on the page as it stands, in words."""
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(AXE.read_text("utf-8"))
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def settle(page: Page) -> None:
    """Wait until transitions and the theme's start-up are over."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(150)
    page.evaluate("Promise.allSettled(document.getAnimations().map(a => a.finished))")


def arrive(page: Page, path: str, title: str) -> None:
    """Wait for the page ``path``, until it shows its ``title``.

    Instant navigation changes the address first and the content later.
    """
    page.wait_for_url(f"**{path}")
    expect(page.locator("article h1")).to_contain_text(title, timeout=30_000)
    settle(page)


def open_all(page: Page) -> None:
    """Open every answer and every self-check, with its own answer."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    settle(page)


def other_hosts(context: BrowserContext, address: str) -> list[str]:
    """Record the requests of ``context`` that leave ``address``."""
    outside: list[str] = []

    def note(request: Any) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            outside.append(request.url)

    context.on("request", note)
    return outside
