"""Self-checks, rating, progress and review as readers meet them over days."""

from __future__ import annotations

import datetime
import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import ROOT, arrive, axe, build, other_hosts, served, settle
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

TOPIC = "/foundations/what-is-fastapi/"
OTHER = "/foundations/asgi-wsgi-servers/"
SINGLE = "details.check:has(input[type=radio])"
SEVERAL = "details.check:has(input[type=checkbox])"
START = datetime.datetime(2027, 3, 10, 20, 0)

DENIED = """
for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, {
    get() { throw new DOMException("denied", "SecurityError"); },
  });
"""


def stored(page: Page) -> dict[str, Any]:
    return json.loads(page.evaluate("localStorage.handbook ?? '{\"items\": {}}'"))


def marks(page: Page) -> dict[str, str]:
    """Return the last grade of every stored item."""
    return {name: item["log"][-1][1] for name, item in stored(page)["items"].items()}


def go(page: Page, path: str) -> None:
    page.goto(path)
    settle(page)


def set_day(page: Page, days: int) -> None:
    page.clock.set_fixed_time(START + datetime.timedelta(days=days))


def unfold(check: Locator) -> Locator:
    """Open a self-check, if it is folded."""
    if check.get_attribute("open") is None:
        check.locator("summary").first.click()
    return check


def choose(check: Locator, right: bool = True) -> None:
    """Choose the right options, or a wrong one."""
    kind = "right" if right else "wrong"
    verdicts = check.locator(f".check__verdict--{kind}")
    values = verdicts.evaluate_all("all => all.map(one => one.dataset.option)")
    for value in values if right else values[:1]:
        check.locator(f"input[value='{value}']").check()


def press(place: Locator | Page, name: str) -> None:
    place.get_by_role("button", name=name, exact=True).click()


def answer(check: Locator, right: bool = True, button: str = "Check") -> None:
    choose(unfold(check), right)
    press(check, button)


def rate(page: Page, question: Locator, word: str) -> None:
    question.locator("summary").first.click()
    settle(page)
    press(question, word)


@pytest.fixture
def mobile(browser: Browser, site: tuple[str, Path]) -> Iterator[BrowserContext]:
    context = browser.new_context(
        base_url=site[0], viewport={"width": 320, "height": 700}, reduced_motion="reduce"
    )
    yield context
    context.close()


@pytest.fixture
def context(browser: Browser, site: tuple[str, Path]) -> Iterator[BrowserContext]:
    """A fresh profile that fails on requests to other hosts."""
    context = browser.new_context(
        base_url=site[0],
        viewport={"width": 1280, "height": 900},
        reduced_motion="reduce",
    )
    outside = other_hosts(context, site[0])
    yield context
    context.close()
    assert not outside


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails on script errors."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert not errors


# -- Answering ------------------------------------------------------------------


def test_a_self_check_is_answered_by_keyboard_alone(page: Page) -> None:
    go(page, TOPIC)
    check = page.locator(SINGLE).first
    check.locator("summary").first.focus()
    page.keyboard.press("Enter")
    settle(page)
    status = check.locator("[role=status]")
    expect(status).to_have_text("")
    first = check.locator("input").first
    for _ in range(4):  # past code that scrolls, and its copy button
        page.keyboard.press("Tab")
        if first.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(status).to_have_text("Choose an answer first; a guess helps")
    page.keyboard.press("Space")
    expect(first).to_be_checked()
    page.keyboard.press("ArrowDown")
    expect(check.locator("input").nth(1)).to_be_checked()
    assert marks(page) == {}, "choosing submits nothing"
    page.keyboard.press("Enter")
    expect(status).to_contain_text(re.compile("^(Right|Not right)"))
    expect(check.locator("input").nth(1)).to_be_focused()
    assert len(marks(page)) == 1
    page.keyboard.press("ArrowDown")
    expect(check.locator("input").nth(1)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Try again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(first).to_be_focused()
    expect(check.locator("input:checked")).to_have_count(0)


def test_the_first_attempt_counts_and_every_reason_shows(page: Page) -> None:
    go(page, TOPIC)
    check = page.locator(SINGLE).first
    name = check.get_attribute("data-check")
    answer(check, right=False)
    expect(check.locator("[role=status]")).to_have_text(
        re.compile("^Not right. It comes back tomorrow.")
    )
    for why in check.locator(".check__why").all():
        expect(why).to_be_visible()
    expect(check.locator(".check__yours")).to_have_count(1)
    expect(check.locator(".check__verdict:has(.check__yours)")).to_have_class(
        re.compile("--wrong")
    )
    press(check, "Try again")
    expect(check.locator(".check__verdict").first).to_be_hidden()
    answer(check)
    expect(check.locator("[role=status]")).to_contain_text("does not count")
    item = stored(page)["items"][name]
    assert [mark for _, mark in item["log"]] == ["sure"]
    assert item["rev"] == check.get_attribute("data-rev")
    assert item["box"] == 0


def test_a_guess_is_told_from_knowledge(page: Page) -> None:
    go(page, TOPIC)
    checks = page.locator("details.check")
    guess = "Check, I'm guessing"
    for index, (right, button, mark) in enumerate(
        [
            (True, "Check", "right"),
            (True, guess, "lucky"),
            (False, "Check", "sure"),
            (False, guess, "wrong"),
        ]
    ):
        check = checks.nth(index)
        answer(check, right, button)
        assert marks(page)[str(check.get_attribute("data-check"))] == mark
        used = "Checked, as a guess" if button == guess else "Checked"
        expect(check.get_by_role("button", name=used, exact=True)).to_be_focused()


def test_part_of_several_right_options_is_not_right(page: Page) -> None:
    go(page, TOPIC)
    check = unfold(page.locator(SEVERAL).first)
    value = check.locator(".check__verdict--right").first.get_attribute("data-option")
    check.locator(f"input[value='{value}']").check()
    press(check, "Check")
    expect(check.locator("[role=status]")).to_contain_text("Not right")


def test_an_answer_opened_without_an_attempt_is_due_today(page: Page) -> None:
    go(page, TOPIC)
    check = unfold(page.locator(SINGLE).first)
    check.locator(".check__answer > summary").click()
    expect(check.locator("[role=status]")).to_contain_text("comes back today")
    expect(page.locator(".answers-toolbar .progress")).to_have_text(
        re.compile(r"^0 of \d+ answered, 1 due$")
    )
    answer(check)
    assert list(marks(page).values()) == ["seen"], "what follows is no attempt"


def test_a_question_is_rated_after_its_answer_was_opened(page: Page) -> None:
    go(page, TOPIC)
    question = page.locator("details.question").first
    expect(question.locator(".rate")).to_be_hidden()
    rate(page, question, "Not at all")
    press(question, "Well")
    expect(question.get_by_role("button", name="Well")).to_have_attribute(
        "aria-pressed", "true"
    )
    item = stored(page)["items"][question.get_attribute("data-question")]
    assert [mark for _, mark in item["log"]] == ["well"], "a second thought replaces"
    expect(question.locator("[role=status]")).to_have_text(
        re.compile("^Noted. It comes back tomorrow.")
    )


def test_copy_buttons_and_stem_code_submit_nothing(page: Page) -> None:
    go(page, TOPIC)
    assert page.locator("form pre, form .copy, form button:not([type])").count() == 0
    assert page.locator("details.check .copy[type=button]").count() > 0


def test_groups_have_names_and_marks_are_words(page: Page) -> None:
    go(page, TOPIC)
    check = unfold(page.locator(f"{SINGLE}:has(.check__stem)").first)
    question = check.locator(".check__question").inner_text()
    group = check.get_by_role("group", name=f"{question} Choose one")
    expect(group).to_be_visible()
    described = group.get_attribute("aria-describedby")
    expect(page.locator(f"[id='{described}']")).to_be_visible()
    names = page.evaluate(
        "[...document.querySelectorAll('.check input[type=radio]')].map(one => one.name)"
    )
    assert len(set(names)) == page.locator(SINGLE).count()
    answer(check)
    expect(check.locator("[role=status] .check__mark")).to_have_text("Right")


# -- Around the page ------------------------------------------------------------


def test_without_javascript_nothing_is_missing_and_nothing_is_idle(
    browser: Browser, site: tuple[str, Path]
) -> None:
    context = browser.new_context(base_url=site[0], java_script_enabled=False)
    page = context.new_page()
    page.goto(TOPIC)
    check = unfold(page.locator(SINGLE).first)
    check.locator(".check__answer > summary").click()
    expect(check.locator(".check__why").first).to_be_visible()
    assert page.locator("article button, article form, .rate").count() == 0
    page.goto("/")
    expect(page.locator(".progress").first).to_be_hidden()
    page.goto("/review/")
    expect(page.locator(".review__wait")).to_be_visible()
    topic = page.locator("details.topic").first
    topic.locator("summary").click()
    topic.locator("li > a").first.click()
    assert "#" in page.url
    assert page.locator(":target").count() == 1
    context.close()


def test_print_shows_answers_and_no_controls(page: Page) -> None:
    go(page, TOPIC)
    check = page.locator(SINGLE).first
    answer(check, right=False)
    page.emulate_media(media="print")
    for hidden in (".actions", ".rate", ".answers-toolbar"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator("details.question p").first).to_be_visible()
    expect(page.locator(".check__why").last).to_be_visible()


def test_who_tries_first_sees_no_level_and_no_open_answer(page: Page) -> None:
    go(page, TOPIC)
    expect(page.locator(".level").first).to_be_visible()
    before = page.locator("h2.senior").last.bounding_box()
    press(page, "Try first")
    expect(page.locator(".level").first).to_be_hidden()
    assert page.locator("h2.senior").last.bounding_box() == before, "nothing moves"
    page.locator("details.question > summary").first.click()
    page.reload()
    settle(page)
    expect(page.locator(".level").first).to_be_hidden()
    assert page.locator("details.question[open]").count() == 0
    page.emulate_media(media="print")
    expect(page.locator("details.question").first).to_be_hidden()
    expect(page.locator(".check__option").first).to_be_visible()
    expect(page.locator(".check__why").first).to_be_hidden()
    page.emulate_media(media="screen")
    press(page, "Try first")
    expect(page.locator(".level").first).to_be_visible()


def test_a_link_to_a_check_opens_it_and_spoils_nothing(page: Page) -> None:
    go(page, TOPIC)
    name = page.locator(SINGLE).last.get_attribute("data-check")
    go(page, "/?elsewhere")
    go(page, f"{TOPIC}#{name}")
    check = page.locator(f"[data-check={name}]")
    expect(check).to_have_attribute("open", "")
    expect(check.locator(".check__verdict").first).to_be_hidden()
    answer(check)
    assert marks(page) == {name: "right"}


def test_a_search_hit_in_a_check_spoils_nothing(page: Page) -> None:
    go(page, TOPIC)
    check = page.locator(f"{SINGLE}:has(.check__stem)").first
    name = check.get_attribute("data-check")
    word = re.findall(r"\w{5,}", check.locator(".check__question").inner_text())[-1]
    go(page, f"{TOPIC}?h={word}#{name}")
    page.wait_for_timeout(300)
    assert page.locator(".check__answer[open]").count() == 0
    assert marks(page) == {}, "what opens by itself is no attempt"


def test_instant_navigation_back_and_forth_and_running_twice(page: Page) -> None:
    go(page, TOPIC)
    page.evaluate("window.same = true")
    answer(page.locator(SINGLE).first)
    page.locator(".md-nav__link", has_text="ASGI").first.click()
    arrive(page, OTHER, "ASGI")
    answer(page.locator(SINGLE).first)
    page.locator(".md-nav__link", has_text="Review").first.click()
    arrive(page, "/review/", "Review")
    expect(page.get_by_role("heading", name="Nothing is due today")).to_be_visible()
    page.go_back()
    arrive(page, OTHER, "ASGI")
    page.go_back()
    arrive(page, TOPIC, "What FastAPI is")
    settle(page)
    page.evaluate("import('/assets/js/checks.js?again')")
    page.wait_for_timeout(100)
    assert page.evaluate("window.same"), "no page was loaded anew"
    for block in page.locator("details.check").all():
        assert block.locator("form").count() == 1
    assert page.locator(".rate").count() == page.locator("details.question").count()
    assert page.locator(".answers-toolbar .progress").count() == 1
    check = unfold(page.locator(SINGLE).first)
    expect(check.locator(".check__past")).to_contain_text("right. Comes back tomorrow")
    answer(page.locator(SINGLE).last, right=False)
    assert sorted(marks(page).values()) == ["right", "right", "sure"]
    page.go_forward()
    page.go_forward()
    arrive(page, "/review/", "Review")
    expect(page.get_by_role("heading", name="Nothing is due today")).to_be_visible()


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_moves_when_progress_appears(
    browser: Browser, site: tuple[str, Path], width: int
) -> None:
    context = browser.new_context(base_url=site[0], viewport={"width": width, "height": 800})
    page = context.new_page()
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver(list => list.getEntries()"
        ".forEach(entry => window.moved += entry.value))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    go(page, TOPIC)
    unfold(page.locator(SINGLE).first).locator(".check__answer > summary").click()
    for path in ("/", "/foundations/", TOPIC, "/review/"):
        go(page, path)
        page.wait_for_timeout(250)
        moved = page.evaluate("window.moved")
        assert moved <= 0.02, f"{path} moves by {moved}"
    context.close()


def test_progress_on_home_sections_and_topics(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    go(page, "/")
    expect(page.locator(".progress[data-all]")).to_have_text(re.compile(r"^0 of \d+ answered$"))
    assert not any("/review/" in url for url in asked), "a new reader fetches no list"
    go(page, TOPIC)
    answer(page.locator(SINGLE).first)
    rate(page, page.locator("details.question").first, "Well")
    unfold(page.locator(SINGLE).last).locator(".check__answer > summary").click()
    text = re.compile(r"^2 of \d+ answered, 1 due$")
    expect(page.locator(".answers-toolbar .progress")).to_have_text(text)
    for path in ("/", "/foundations/"):
        go(page, path)
        for place in page.locator(".progress").all()[:1]:
            expect(place).to_have_text(text)
    page.get_by_role("link", name="1 due").first.click()
    arrive(page, "/review/", "Review")
    expect(page.get_by_role("heading", name="1 due today")).to_be_visible()


# -- Storage --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["denied", "full", "future", "corrupt"])
def test_the_page_works_and_says_so_once(
    browser: Browser, site: tuple[str, Path], kind: str
) -> None:
    context = browser.new_context(base_url=site[0], reduced_motion="reduce")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    raw = {"future": '{"v":99,"other":true}', "corrupt": '{"v":1,"items":{"a'}.get(kind)
    if kind == "denied":
        page.add_init_script(DENIED)
    else:
        page.goto("/404.html")
        if raw:
            page.evaluate("raw => localStorage.setItem('handbook', raw)", raw)
    if kind == "full":
        page.evaluate(
            "for (let size = 4e6; size > 0; size = size >> 1)"
            " try { while (1) localStorage.setItem('x' + Math.random(), 'y'.repeat(size)) }"
            " catch { /* no more of this size */ }"
        )
    said = {
        "denied": "lets the page store nothing",
        "full": "storage is full",
        "future": "newer version",
        "corrupt": "was damaged",
    }[kind]
    go(page, TOPIC)
    first, last = page.locator(SINGLE).first, page.locator(SINGLE).last
    answer(first)
    answer(last)
    expect(last.locator("[role=status]")).to_contain_text("Right")
    assert page.locator("article").inner_text().count(said) == 1
    expect(page.locator(".answers-toolbar .progress")).to_contain_text("2 of ")
    if kind == "future":
        assert page.evaluate("localStorage.handbook") == raw
    if kind == "corrupt":
        assert page.evaluate("localStorage['handbook:damaged-1']") == raw
        assert len(marks(page)) == 2
        go(page, "/review/")
        press(page, "Delete the copy")
        press(page, "Delete")
        assert page.evaluate("'handbook:damaged-1' in localStorage") is False
        assert len(marks(page)) == 2
        return context.close()
    if kind == "full":
        assert page.evaluate("'handbook' in localStorage") is False
    page.locator("a.md-nav__link", has_text="Review").first.click()
    arrive(page, "/review/", "Review")
    expect(page.locator(".review h2")).to_be_visible()
    if kind != "denied":  # there the theme's own script fails, without harm
        assert not errors
    context.close()


def test_two_tabs_stay_in_step(context: BrowserContext) -> None:
    one, two = context.new_page(), context.new_page()
    go(one, TOPIC)
    go(two, TOPIC)
    one.bring_to_front()
    answer(one.locator(SINGLE).first)
    two.bring_to_front()
    answer(two.locator(SINGLE).last)
    for page in (one, two):
        expect(page.locator(".answers-toolbar .progress")).to_contain_text("2 of ")
    go(two, "/review/")
    expect(two.get_by_role("heading", name="Nothing is due today")).to_be_visible()
    one.bring_to_front()
    check = unfold(one.locator(SEVERAL).first)
    check.locator(".check__answer > summary").click()
    expect(two.get_by_role("heading", name="1 due today")).to_be_visible()


def test_progress_survives_moved_and_reordered_pages_and_one_changed_question(
    browser: Browser, tmp_path: Path
) -> None:
    """The same address serves the site before and after an edit."""
    current = tmp_path / "current"
    with served(current) as address:
        build(tmp_path / "before", address)
        current.symlink_to(tmp_path / "before")
        context = browser.new_context(base_url=address, reduced_motion="reduce")
        page = context.new_page()
        go(page, TOPIC)
        checks = page.locator(SINGLE)
        kept, changed = (checks.nth(n).get_attribute("data-check") for n in (0, 1))
        question = page.locator("details.question").first.get_attribute("data-question")
        order = page.locator(f"[data-check={kept}] input").evaluate_all(
            "all => all.map(one => one.value)"
        )
        answer(checks.nth(0))
        answer(checks.nth(1))
        rate(page, page.locator("details.question").first, "Well")

        _build_edited(tmp_path, address, str(changed))
        current.unlink()
        current.symlink_to(tmp_path / "after")
        moved = TOPIC.replace("what-is-fastapi", "renamed")
        go(page, moved)
        expect(page.locator(".answers-toolbar .progress")).to_contain_text("2 of ")
        now = page.locator(f"[data-check={kept}] input").evaluate_all(
            "all => all.map(one => one.value)"
        )
        assert now == order, "options keep their order while others move"
        past = ".check__past"
        for name, text in ((kept, "right"), (changed, "")):
            check = unfold(page.locator(f"[data-check={name}]"))
            expect(check.locator(past)).to_contain_text(text)
        assert page.locator(f"[data-check={changed}] {past}").inner_text() == ""
        rating = page.locator(f"[data-question={question}]")
        rating.locator("summary").first.click()
        expect(rating.locator(past)).to_contain_text("well")
        answer(page.locator(f"[data-check={changed}]"), right=False)
        log = stored(page)["items"][changed]["log"]
        assert [mark for _, mark in log] == ["sure"]
        context.close()


def _build_edited(folder: Path, address: str, changed: str) -> None:
    """Build a copy with a page renamed, its questions reversed, one changed."""
    project = folder / "project"
    shutil.copytree(ROOT / "docs", project / "docs")
    for name in ("overrides", "scripts"):
        (project / name).symlink_to(ROOT / name)
    (project / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "requirements.txt", project / "tests")
    page = project / "docs" / "foundations" / "what-is-fastapi.md"
    text = page.read_text("utf-8")
    start, *sections = re.split(r"(?m)^(?=## )", text)
    text = start + "\n".join(reversed(sections))
    text, count = re.subn(
        rf"(?m)^(/// check \| .*)(\n    id: {changed}\n)", r"\1 Think.\2", text
    )
    assert count == 1
    page.with_stem("renamed").write_text(text, "utf-8")
    page.unlink()
    config = (ROOT / "mkdocs.yml").read_text("utf-8")
    config = config.replace("foundations/what-is-fastapi.md", "foundations/renamed.md")
    config = re.sub(r"(?m)^site_url: .*$", f"site_url: {address}/", config)
    (project / "mkdocs.yml").write_text(config, "utf-8")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-q", "-d", str(folder / "after")],
        cwd=project,
        check=True,
        capture_output=True,
    )


# -- Review ---------------------------------------------------------------------


def next_one(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^(Next|Finish)$")).click()


def block(page: Page) -> Locator:
    expect(page.locator(".review__block")).to_be_visible()
    return page.locator(".review__block")


def reply(page: Page, right: bool = True) -> str:
    """Answer what the review asks; return its id."""
    place = block(page)
    if place.locator("[data-check]").count():
        answer(place.locator("[data-check]"), right)
        return str(place.locator("[data-check]").get_attribute("data-check"))
    rate(page, place.locator("[data-question]"), "Well" if right else "Not at all")
    return str(place.locator("[data-question]").get_attribute("data-question"))


def test_review_over_several_days(page: Page) -> None:
    page.clock.install(time=START)
    set_day(page, 0)
    go(page, "/review/")
    expect(page.get_by_role("heading", name="Nothing to review yet")).to_be_visible()
    expect(page.locator(".review")).to_contain_text("Answer a self-check on a topic page")

    go(page, TOPIC)
    sure = page.locator(SINGLE).first.get_attribute("data-check")
    known = page.locator(SINGLE).last.get_attribute("data-check")
    answer(page.locator(SINGLE).first, right=False)
    answer(page.locator(SINGLE).last)
    go(page, OTHER)
    asked = page.locator("details.question").first.get_attribute("data-question")
    rate(page, page.locator("details.question").first, "Partly")
    go(page, "/review/")
    expect(page.get_by_role("heading", name="Nothing is due today")).to_be_visible()
    expect(page.locator(".review")).to_contain_text("Next: 3 tomorrow")
    expect(page.get_by_role("button", name="Only what I missed (1)")).to_be_visible()

    set_day(page, 1)
    go(page, "/review/")
    expect(page.get_by_role("heading", name="3 due today")).to_be_visible()
    expect(page.locator(".review")).to_contain_text("sure of and got wrong")
    press(page, "Review")
    title = page.get_by_role("heading", name="Question 1 of 3")
    expect(title).to_be_focused()
    source = page.locator(".review__block [data-check]")
    expect(source).to_have_attribute("data-check", str(sure))
    assert reply(page) == sure, "the confident mistake comes first"
    next_one(page)
    expect(page.get_by_role("heading", name="Question 2 of 3")).to_be_focused()
    second = reply(page, right=False)
    next_one(page)
    third = reply(page)
    assert {second, third} == {known, asked}
    next_one(page)
    expect(page.get_by_role("heading", name="3 questions done")).to_be_focused()
    expect(page.locator(".review")).to_contain_text("2 known, 1 missed")
    expect(page.locator(".review li")).to_have_count(1)
    press(page, "Back")
    expect(page.get_by_role("heading", name="Nothing is due today")).to_be_focused()
    due = {name: item["due"] for name, item in stored(page)["items"].items()}
    assert due[sure] == "2027-03-12"
    assert due[second] == "2027-03-12"

    set_day(page, 2)
    go(page, "/review/")
    expect(page.get_by_role("heading", name=re.compile("^[23] due today$"))).to_be_visible()
    press(page, "Review")
    while page.locator(".review__slot").count():
        reply(page)
        next_one(page)
        page.wait_for_timeout(50)
    assert stored(page)["items"][sure]["due"] == "2027-03-15", "then three days"


def test_the_block_is_the_real_one_and_its_links_work(page: Page) -> None:
    page.clock.install(time=START)
    set_day(page, 0)
    go(page, TOPIC)
    code = page.locator("details.question:has(a[href]:not([href^=http]))")
    target = code.first if code.count() else page.locator("details.question").first
    rate(page, target, "Not at all")
    html = target.evaluate("one => one.querySelector('pre')?.innerText ?? ''")
    set_day(page, 1)
    go(page, "/review/")
    press(page, "Review")
    answer_block = block(page).locator("[data-question]")
    assert answer_block.get_attribute("open") is None, "the answer stays closed"
    expect(block(page).locator("h2")).to_be_visible()
    answer_block.locator("summary").first.click()
    settle(page)
    assert answer_block.evaluate("one => one.querySelector('pre')?.innerText ?? ''") == html
    assert block(page).locator("script").count() == 0
    links = block(page).locator("a[href]").evaluate_all("all => all.map(one => one.href)")
    assert not any("/review/" in link for link in links)
    assert block(page).locator(".copy").count() == block(page).locator(
        ".highlight:not(.output .highlight, .code-wrong .highlight, .no-copy .highlight) > pre"
    ).count() + block(page).locator(".message--request > pre").count()


def test_only_what_i_missed_skip_and_stop(page: Page) -> None:
    go(page, TOPIC)
    for check in page.locator("details.check").all()[:3]:
        answer(check, right=False)
    answer(page.locator("details.check").nth(3))
    go(page, "/review/")
    press(page, "Only what I missed (3)")
    reply(page)
    next_one(page)
    block(page)
    press(page, "Skip")
    block(page)
    press(page, "Stop")
    expect(page.get_by_role("heading", name="1 question done")).to_be_focused()
    press(page, "Back")
    expect(page.get_by_role("button", name="Only what I missed (2)")).to_be_visible()


def test_the_evening_before_the_interview(page: Page) -> None:
    page.clock.install(time=START)
    set_day(page, 0)
    go(page, TOPIC)
    for check in page.locator("details.check").all():
        answer(check)
    total = len(marks(page))
    go(page, "/review/")
    page.get_by_label("Interview on").fill("2027-03-21")
    expect(page.locator(".review")).to_contain_text("in 11 days")
    assert stored(page)["interview"] == "2027-03-21"
    # Nothing is reviewed for ten days; then the evening comes.
    set_day(page, 10)
    go(page, "/review/")
    expect(page.locator(".review")).to_contain_text("Your interview is tomorrow")
    expect(page.get_by_role("heading", name=f"{total} due today")).to_be_visible()
    press(page, "Review")
    missed = reply(page, right=False)
    expect(page.locator("[role=status]").first).to_contain_text("comes back today")
    asked = [missed]
    while page.locator(".review__slot").count():
        next_one(page)
        page.wait_for_timeout(50)
        if page.locator(".review__slot").count():
            asked.append(reply(page))
    assert len(asked) == total + 1
    assert asked[-1] == missed, "what was missed is asked again the same evening"
    expect(page.locator(".review")).to_contain_text("Nothing more is due today")


def test_a_page_that_does_not_load_can_be_skipped(page: Page) -> None:
    go(page, TOPIC)
    unfold(page.locator(SINGLE).first).locator(".check__answer > summary").click()
    go(page, "/review/")
    page.route(f"**{TOPIC}", lambda route: route.abort())
    press(page, "Review")
    expect(page.locator(".review__slot")).to_contain_text("could not be loaded")
    press(page, "Skip")
    expect(page.get_by_role("heading", name="1 due today")).to_be_visible()


def test_export_delete_and_import_round_trip(page: Page, tmp_path: Path) -> None:
    go(page, TOPIC)
    answer(page.locator(SINGLE).first)
    answer(page.locator(SEVERAL).first, right=False)
    rate(page, page.locator("details.question").first, "Partly")
    go(page, "/review/")
    page.get_by_label("Interview on").fill("2031-01-02")
    before = stored(page)
    with page.expect_download() as download:
        press(page, "Save as a file")
    file = tmp_path / "progress.json"
    download.value.save_as(file)
    assert json.loads(file.read_text()) == before
    press(page, "Delete everything")
    press(page, "No")
    assert stored(page) == before
    press(page, "Delete everything")
    press(page, "Delete")
    assert stored(page) == {"v": 1, "items": {}}
    expect(page.get_by_role("heading", name="Nothing to review yet")).to_be_visible()
    picker = page.get_by_label("Read from a file")
    picker.set_input_files(file)
    status = page.locator(".review__status")
    expect(status).to_contain_text("3 new here, 0 newer than yours, 0 that you have")
    assert stored(page) == {"v": 1, "items": {}}, "nothing before the reader agrees"
    press(page, "Take them over")
    assert stored(page) == before
    expect(page.get_by_role("heading", name="Nothing is due today")).to_be_visible()
    picker.set_input_files(file)
    expect(status).to_contain_text("0 new here, 0 newer than yours, 3 that you have")
    press(page, "Leave it")
    assert stored(page) == before


def test_a_file_that_is_no_progress_changes_nothing(page: Page, tmp_path: Path) -> None:
    go(page, TOPIC)
    answer(page.locator(SINGLE).first)
    before = stored(page)
    go(page, "/review/")
    file = tmp_path / "other.json"
    for content, said in (
        ("not JSON", "no progress that can be read"),
        ('{"v": 9, "items": {}}', "newer version"),
        ('{"v": 1, "items": {"a": {"rev": "<img src=x onerror=alert(1)>"}}}', "no progress"),
        ('[{"v": 1}]', "no progress"),
    ):
        file.write_text(content)
        page.get_by_label("Read from a file").set_input_files(file)
        expect(page.locator(".review__status")).to_contain_text(said)
        assert page.get_by_role("button", name="Take them over").count() == 0
    assert stored(page) == before


def test_one_topic_is_forgotten_alone(page: Page) -> None:
    for path in (TOPIC, OTHER):
        go(page, path)
        answer(page.locator(SINGLE).first)
    go(page, "/review/")
    topic = page.locator(f"details.topic[data-topic='{TOPIC.strip('/')}/']")
    expect(topic.locator(".progress")).to_contain_text("1 of ")
    topic.locator("summary").click()
    press(topic, "Forget this topic")
    expect(topic).to_contain_text("Forget 1 answer?")
    press(topic, "Forget")
    expect(topic.locator(".progress")).to_contain_text("0 of ")
    assert len(marks(page)) == 1


def test_the_review_page_lists_every_item_with_its_revision(page: Page) -> None:
    go(page, "/review/")
    listed = page.locator(".items li > a").evaluate_all(
        "all => Object.fromEntries(all.map(one => [one.hash.slice(1), one.dataset.rev]))"
    )
    for path in (TOPIC, OTHER):
        go(page, path)
        found = page.locator("[data-check], [data-question]").evaluate_all(
            "all => all.map(({dataset: d}) => [d.check ?? d.question, d.rev])"
        )
        assert len(found) > 5
        for name, revision in found:
            assert listed[name] == revision


# -- For everyone ---------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_before_and_after_answering(
    browser: Browser, site: tuple[str, Path], width: int, scheme: str
) -> None:
    context = browser.new_context(
        base_url=site[0],
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = context.new_page()

    def clean(what: str) -> None:
        settle(page)
        assert axe(page) == [], what
        sideways = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert sideways <= 0, f"{what}: the page scrolls sideways"

    go(page, TOPIC)
    checks = page.locator("details.check")
    for index in range(3):
        unfold(checks.nth(index))
    clean("checks open")
    press(checks.nth(0), "Check")
    answer(checks.nth(0), right=False)
    answer(checks.nth(1), button="Check, I'm guessing")
    checks.nth(2).locator(".check__answer > summary").click()
    rate(page, page.locator("details.question").first, "Partly")
    clean("checks answered")
    go(page, "/review/")
    page.get_by_label("Interview on").fill("2031-01-02")
    press(page, "Delete everything")
    page.locator("details.topic > summary").first.click()
    clean("review, one due")
    press(page, "Review")
    reply(page, right=False)
    clean("review, answered")
    next_one(page)
    clean("review, done")
    context.close()


def test_targets_are_large_enough_and_focus_shows(mobile: BrowserContext) -> None:
    page = mobile.new_page()
    go(page, TOPIC)
    check = unfold(page.locator(SINGLE).first)
    rate(page, page.locator("details.question").first, "Well")
    for button in page.locator("article button:visible").all():
        box = button.bounding_box()
        assert box is not None and box["height"] >= 24 and box["width"] >= 24
    check.locator("input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_forced_colours_keep_what_is_chosen_and_pressed(
    browser: Browser, site: tuple[str, Path]
) -> None:
    context = browser.new_context(base_url=site[0], forced_colors="active")
    page = context.new_page()
    go(page, TOPIC)
    question = page.locator("details.question").first
    rate(page, question, "Well")
    pressed = question.get_by_role("button", name="Well")
    assert pressed.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    check = unfold(page.locator(SINGLE).first)
    choose(check)
    chosen = check.locator(".check__option:has(:checked)")
    assert chosen.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    context.close()


def test_a_strict_policy_holds_while_answering_and_reviewing(
    context: BrowserContext, site: tuple[str, Path]
) -> None:
    """No inline handler, style or eval: what a strict policy would block."""
    page = context.new_page()
    go(page, TOPIC)
    before = page.locator("article [style], article [onclick]").count()
    check = page.locator(SINGLE).first
    answer(check)
    rate(page, page.locator("details.question").first, "Well")
    assert page.locator("article [style], article [onclick]").count() == before == 0
    for name in ("store", "checks", "review"):
        script = (site[1] / "assets" / "js" / f"{name}.js").read_text("utf-8")
        assert not re.search(r"\beval\(|new Function|\.style\b|innerHTML|\son\w+=", script)


def test_scripts_on_a_topic_page_stay_small(page: Page, site: tuple[str, Path]) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url.split("?")[0]))
    go(page, TOPIC)
    names = {Path(url).name for url in loaded if "/assets/js/" in url}
    own = names - {"answers.js", "code.js", "pages.js"}
    assert own >= {"store.js", "checks.js"}
    assert "review.js" not in names
    scripts = [site[1] / "assets" / "js" / name for name in ("store.js", "checks.js")]
    assert sum(len(gzip.compress(one.read_bytes(), 9)) for one in scripts) <= 8000
