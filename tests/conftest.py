"""Shared by all tests: the package's path and projects built from strings.

A page of a test may say what the check must find in it: everything from ``⟵``
to the end of a line is taken away before the page is written, and names the
rule that must fire on that line, and a part of its message::

    ## Why? { .mid }  ⟵ question-id: give the question an id
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from browser import build, chromium, other_hosts, served

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from handbook import check as check_module  # noqa: E402
from handbook.report import Finding, Report  # noqa: E402
from mkdocs.utils import yaml_load  # noqa: E402
from playwright.sync_api import Browser, Page  # noqa: E402

LINT = ("ruff-", "ty-", "format")
_PLAIN = ["attr_list", "pymdownx.highlight", "pymdownx.superfences"]
_THEME = (
    "<!doctype html><html><body><article>{{ page.content }}</article></body></html>"
)
Expected = tuple[int, str, str]


def annotated(text: str) -> tuple[str, list[Expected]]:
    """Split a page into its text and the (line, rule, part of message) it expects."""
    lines, expected = [], []
    for number, line in enumerate(text.split("\n"), 1):
        line, *notes = re.split(r" *⟵ *", line)
        lines.append(line)
        for note in notes:
            rule, _, part = note.partition(": ")
            expected.append((number, rule.strip(), part.strip()))
    return "\n".join(lines), expected


def differences(found: list[Finding], expected: list[Expected]) -> list[str]:
    """Return the findings that nobody expected and the expectations not met."""
    left = list(found)
    wrong = []
    for line, rule, part in expected:
        hit = next(
            (f for f in left if (f.line, f.rule) == (line, rule) and part in f.message),
            None,
        )
        if hit is None:
            wrong.append(f"missing: {line}: {rule} {part}")
        else:
            left.remove(hit)
    return wrong + [f"unexpected: {f.line}: {f.rule} {f.message}" for f in left]


def write_project(
    folder: Path,
    pages: Mapping[str, str | bytes],
    *,
    handbook: bool = True,
    theme: str = "",
    extensions: list | None = None,
    plugins: list | None = None,
    **settings: object,
) -> Path:
    """Write a MkDocs project to ``folder`` and return its configuration.

    With ``handbook`` it has the Markdown extensions of the handbook itself.
    Without ``theme``, pages are written by a template of one line.
    """
    if handbook:
        own = yaml_load((ROOT / "mkdocs.yml").read_text("utf-8"))
        extensions = own["markdown_extensions"]
    for name, text in pages.items():
        path = folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        path.write_bytes(data)
    look: dict[str, object] = (
        {"name": theme, "font": False} if theme == "material" else {"name": theme}
    )
    if not theme:
        (folder / "theme").mkdir(exist_ok=True)
        (folder / "theme" / "main.html").write_text(_THEME)
        look = {"name": None, "custom_dir": "theme"}
    config = {
        "site_name": "Test",
        "theme": look,
        "plugins": plugins or [],
        "markdown_extensions": _PLAIN if extensions is None else extensions,
        "exclude_docs": "ids.txt",
        **settings,
    }
    path = folder / "mkdocs.yml"
    path.write_text(yaml.dump(config, allow_unicode=True), "utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    """Write a project and check it: ``project({"a.md": "…"}, run=True) -> Report``."""

    def check(
        pages: Mapping[str, str | bytes],
        *,
        run: bool = False,
        lint: bool = False,
        paths: tuple[Path, ...] = (),
        seconds: float = 20.0,
        **settings: object,
    ) -> Report:
        config = write_project(tmp_path, pages, **settings)  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            if not lint:
                patch.setattr(check_module, "lint", lambda _: [])
            return check_module.check(config, run, list(paths), seconds)

    return check


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The site, built strictly for the address that it is served at."""
    folder = tmp_path_factory.mktemp("site")
    with served(folder) as address:
        build(folder, address)
        yield address, folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, site: tuple[str, Path]) -> Iterator[Page]:
    """A page in a fresh profile that fails on script errors and other hosts."""
    context = browser.new_context(
        base_url=site[0], viewport={"width": 1280, "height": 900}
    )
    outside = other_hosts(context, site[0])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not outside
    assert not errors
