"""The pages beside the topics: all questions, timeline, cheat sheet, glossary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import ROOT, axe, settle
from playwright.sync_api import Browser, Page, expect
from selectolax.lexbor import LexborHTMLParser

ALL = "/reference/all-questions/"
TIMELINE = "/reference/version-timeline/"
SHEET = "/reference/cheat-sheet/"
GLOSSARY = "/reference/glossary/"
PAGES = [ALL, TIMELINE, SHEET, GLOSSARY, "/reference/how-answers-are-checked/"]
PAGES += [
    "/practice/spot-the-bug/",
    "/practice/live-coding/",
    "/practice/system-design/",
]
DOCS = ROOT / "docs"
QUESTION = re.compile(r"(?m)^## .*\{ #(\S+) \.(junior|mid|senior) \}")


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
        assert axe(page) == [], path
        sideways = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert sideways <= 0, f"{path} scrolls sideways"
    context.close()


def test_every_question_is_listed_once_with_its_level(site: tuple[str, Path]) -> None:
    written = {
        (match[1], match[2])
        for path in DOCS.rglob("*.md")
        for match in QUESTION.finditer(path.read_text("utf-8"))
    }
    html = (site[1] / ALL.strip("/") / "index.html").read_text("utf-8")
    listed = []
    for item in LexborHTMLParser(html).css(".all-questions li"):
        link = item.css_first("a")
        assert link is not None
        href = link.attributes["href"] or ""
        listed.append((href.split("#")[1], item.attributes["class"]))
        target = (
            site[1] / ALL.strip("/") / href.split("#")[0] / "index.html"
        ).resolve()
        assert f'id="{listed[-1][0]}"' in target.read_text("utf-8")
    assert len(listed) == len(set(listed)) == len(written)
    assert set(listed) == written


def test_a_level_is_chosen_without_javascript(
    browser: Browser, site: tuple[str, Path]
) -> None:
    context = browser.new_context(base_url=site[0], java_script_enabled=False)
    page = context.new_page()
    page.goto(ALL)
    total = page.locator(".all-questions li:visible").count()
    page.get_by_label("Senior", exact=True).check()
    seniors = page.locator(".all-questions li:visible")
    assert 0 < seniors.count() < total
    assert seniors.count() == page.locator(".all-questions li.senior").count()
    context.close()


def test_the_timeline_shows_what_a_version_has_and_what_came_later(page: Page) -> None:
    page.goto(TIMELINE)
    settle(page)
    table = page.locator('.timeline[data-package="FastAPI"]')
    rows = table.locator("tbody tr")
    total = rows.count()
    version, show = table.get_by_label("My FastAPI is"), table.get_by_label("Show")
    expect(show).to_be_disabled()
    version.select_option("0.115.0")
    later = table.locator("tr.later").count()
    expect(table.get_by_role("status")).to_have_text(
        f"{total - later} changes are in your version; {later} came later."
    )
    show.select_option("later")
    assert table.locator("tbody tr:visible").count() == later
    versions = table.locator("tbody tr:visible td:first-child").all_inner_texts()
    assert all(int(text.split(".")[1]) > 115 for text in versions), versions
    show.select_option("yours")
    assert table.locator("tbody tr:visible").count() == total - later
    version.select_option("")
    assert table.locator("tbody tr:visible").count() == total
    # Other tables are left alone.
    assert page.locator('[data-package="Starlette"] tr.later').count() == 0


def test_the_timeline_is_sorted_and_whole_without_javascript(
    browser: Browser, site: tuple[str, Path]
) -> None:
    context = browser.new_context(base_url=site[0], java_script_enabled=False)
    page = context.new_page()
    page.goto(TIMELINE)
    assert page.locator(".timeline__filter").count() == 0
    for name in ("FastAPI", "Starlette", "Pydantic"):
        cells = page.locator(
            f'[data-package="{name}"] td:first-child'
        ).all_inner_texts()
        numbers = [tuple(map(int, text.strip().split("."))) for text in cells]
        assert numbers == sorted(numbers, reverse=True), name
        assert len(numbers) == len(set(numbers)), name
    context.close()


def test_each_entry_of_the_timeline_links_to_an_answer() -> None:
    text = (DOCS / TIMELINE.strip("/")).with_suffix(".md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| (?!Version|Package|---)(.*)$", text)
    assert len(rows) > 60
    without = [
        row[:60] for row in rows if not re.search(r"\]\(\.\./\S+\.md#\S+\)", row)
    ]
    assert not without


def test_the_cheat_sheet_prints_on_two_sides_of_a4(page: Page) -> None:
    page.goto(SHEET)
    settle(page)
    paper = page.pdf(
        format="A4",
        margin={side: "10mm" for side in ("top", "right", "bottom", "left")},
    )
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 2


def test_terms_are_linked_where_they_first_occur_on_a_page() -> None:
    """Each page that uses a term of the glossary links its first use."""
    glossary = (DOCS / GLOSSARY.strip("/")).with_suffix(".md").read_text("utf-8")
    anchors = set(re.findall(r"(?m)^### .*\{ #(\S+) \}", glossary))
    linked: set[str] = set()
    for path in sorted(DOCS.rglob("*.md")):
        found = re.findall(
            r"\(\.\./reference/glossary\.md#([\w-]+)\)", path.read_text("utf-8")
        )
        assert len(found) == len(set(found)), f"{path}: a term is linked twice"
        assert set(found) <= anchors, path
        linked |= set(found)
    assert anchors - linked == set(), "no page links these terms"
