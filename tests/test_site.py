"""The built site as readers meet it, in a real browser."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import (
    ROOT,
    arrive,
    axe,
    open_all,
    settle,
)
from handbook.build import main as build_command
from playwright.sync_api import Browser, Page, expect
from selectolax.lexbor import LexborHTMLParser

TOPIC = "/foundations/what-is-fastapi/"
PAGES = ["/", "/foundations/", TOPIC, "/no-such-page/"]


def test_two_builds_are_byte_identical(tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    for name in ("first", "second"):
        assert build_command(["--site-dir", str(tmp_path / name)]) == 0
    assert digest(tmp_path / "first") == digest(tmp_path / "second")
    assert len(digest(tmp_path / "first")) > 10


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    browser: Browser, site: tuple[str, Path], width: int, scheme: str
) -> None:
    context = browser.new_context(
        base_url=site[0],
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = context.new_page()
    for path in PAGES:
        page.goto(path)
        settle(page)
        assert axe(page) == [], f"{path} closed"
        if path == TOPIC:
            open_all(page)
            assert axe(page) == [], f"{path} open"
            sideways = page.evaluate(
                "document.documentElement.scrollWidth - innerWidth"
            )
            assert sideways <= 0, "the page scrolls sideways"
    context.close()


def test_every_answer_opens_and_closes_at_once(page: Page) -> None:
    page.goto(TOPIC)
    answers = page.locator("details.question")
    count = answers.count()
    assert count >= 8
    button = page.get_by_role("button", name="Open all answers")
    button.click()
    assert page.locator("details.question[open]").count() == count
    assert page.locator("details.check[open]").count() == 0, "checks are not spoiled"
    page.get_by_role("button", name="Close all answers").click()
    assert page.locator("details.question[open]").count() == 0


def test_an_answer_opens_by_keyboard_alone(page: Page) -> None:
    page.goto(TOPIC)
    settle(page)
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.question > summary')"):
            break
    else:
        pytest.fail("Tab never reaches an answer")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "the focus is visible"
    page.keyboard.press("Enter")
    assert page.locator("details.question[open]").count() == 1


def test_the_page_is_complete_without_javascript(
    browser: Browser, site: tuple[str, Path]
) -> None:
    context = browser.new_context(base_url=site[0], java_script_enabled=False)
    page = context.new_page()
    page.goto(TOPIC)
    page.locator("details.question > summary").first.click()
    expect(page.locator("details.question").first.locator("p").first).to_be_visible()
    check = page.locator("details.check").first
    check.locator("summary").first.click()
    expect(check.locator(".check__option").first).to_be_visible()
    expect(check.locator(".check__verdict").first).to_be_hidden()
    check.locator(".check__answer > summary").click()
    expect(check.locator(".check__verdict--right").first).to_be_visible()
    expect(page.get_by_role("button", name="Open all answers")).to_have_count(0)
    context.close()


def test_print_opens_answers_and_drops_controls(page: Page) -> None:
    page.goto(TOPIC)
    settle(page)
    page.emulate_media(media="print")
    settle(page)
    expect(page.locator("details.question p").first).to_be_visible()
    expect(page.locator(".check__verdict--right").first).to_be_visible()
    expect(page.locator(".md-sidebar").first).to_be_hidden()
    expect(page.locator(".md-header")).to_be_hidden()


def test_a_search_hit_opens_its_answer_and_shows_the_mark(page: Page) -> None:
    page.goto("/")
    settle(page)
    page.keyboard.press("/")
    page.keyboard.type("GOMAXPROCS")
    # The first results are those of the first letters; wait for the whole word.
    hit = page.locator(".md-search-result__link[href*='h=gomaxprocs']").first
    hit.click()
    page.wait_for_url(re.compile(r"\?h=gomaxprocs"))
    mark = page.locator(".md-content article mark").first
    expect(mark).to_be_visible()
    assert page.locator("details.check[open]").count() == 0, "nothing else is spoiled"


def test_a_link_to_a_question_leaves_its_answer_closed(page: Page) -> None:
    page.goto(f"{TOPIC}#intro-starlette-pydantic")
    settle(page)
    assert page.locator("details.question[open]").count() == 0
    box = page.locator("#intro-starlette-pydantic").bounding_box()
    assert box is not None and 0 <= box["y"] < 400


def test_going_back_restores_open_answers(page: Page) -> None:
    page.goto(TOPIC)
    settle(page)
    page.locator("details.question > summary").nth(1).click()
    page.locator(".md-nav__link", has_text="Flask").first.click()
    arrive(page, "/fastapi-vs-flask-django/", "Flask")
    page.go_back()
    arrive(page, TOPIC, "What FastAPI is")
    expect(page.locator("details.question").nth(1)).to_have_attribute("open", "")
    assert page.locator("details.question[open]").count() == 1


def test_links_ids_and_levels_of_the_built_pages(site: tuple[str, Path]) -> None:
    _, folder = site
    for path in folder.glob("*/*/index.html"):
        tree = LexborHTMLParser(path.read_text("utf-8"))
        article = tree.css_first("article")
        ids = [node.attributes["id"] for node in tree.css("[id]")]
        assert len(ids) == len(set(ids)), f"{path}: an id stands twice"
        for heading in article.css("h2.junior, h2.mid, h2.senior"):
            assert heading.next is not None
            chip = heading.next
            while chip is not None and chip.tag != "p":
                chip = chip.next
            assert chip is not None and "level" in (chip.attributes["class"] or "")
        assert "data-trace" not in path.read_text("utf-8")
        assert "///" not in re.sub(r"https?://", "", article.text(deep=True)).split()


def test_zensical_builds_the_same_articles(site: tuple[str, Path]) -> None:
    # Zensical builds inside its project only.
    out = ROOT / ".cache" / "zensical-test"
    config = ROOT / ".zensical-test.yml"
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    config.write_text(f"{text}\nsite_dir: {out.relative_to(ROOT)}\n")
    try:
        subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--clean", "-f", config],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for path in sorted(site[1].glob("foundations/*/index.html")):
            other = out / path.relative_to(site[1])
            mine, theirs = (_article(p) for p in (path, other))
            assert mine == theirs, path
    finally:
        config.unlink()
        shutil.rmtree(out, ignore_errors=True)


def _article(path: Path) -> list[str]:
    """Return the words of a page's questions, checks and code."""
    tree = LexborHTMLParser(path.read_text("utf-8"))
    article = tree.css_first("article")
    nodes = article.css("h2, .level, summary, pre, .check__option, .check__verdict")
    return [" ".join(node.text(deep=True).split()).rstrip("#¶ ") for node in nodes]
