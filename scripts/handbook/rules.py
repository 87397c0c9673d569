"""The rules of the page format. Each finding names its line and its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from .page import LEVELS, SLUG, Block, Check, Page, Question
from .parsers import canonical
from .places import Place
from .trace import Fence, Problem, Trace

BLOCKS = ("details", "check", "warning", "info")
BLOCK_LINES = 40
ANSWER_LINES = 80
CHECK_LINES = 20
_SETTINGS = {"details": {"type", "open"}, "check": {"id"}}


def page_problems(trace: Trace, page: Page) -> Iterator[Problem]:
    """Yield what the format finds wrong with a page, its fences apart."""
    for index, rule, message in _findings(trace, page):
        yield Problem(trace.places[index], rule, message)


def front_matter_problems(file: str, source: str, topic: bool) -> Iterator[Problem]:
    """Yield what is wrong with the front matter of the text ``source``."""
    if not source.startswith("---"):
        if topic:
            yield Problem(
                Place(file, 1),
                "front-matter",
                'the page needs front matter: title: "…" and description: "…"',
            )
        return
    match = re.match(r"---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*\n", source, re.S)
    if not match:
        yield Problem(Place(file, 1), "front-matter", "close it with a line `---`")
        return
    try:
        data = yaml.safe_load(match[1])
        if not isinstance(data, dict):
            raise yaml.YAMLError("it is no mapping")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 2
        yield Problem(
            Place(file, line),
            "front-matter",
            f"unreadable, so it would be printed on the page; quote the values "
            f"({getattr(error, 'problem', None) or error})",
        )
        return
    if topic:
        for key in ("title", "description"):
            if not str(data.get(key) or "").strip():
                yield Problem(
                    Place(file, 1), "front-matter", f'`{key}: "…"` is missing'
                )


def fence_problems(trace: Trace, page: Page) -> Iterator[Problem]:
    """Yield what is wrong with where fences stand and how long they are."""
    for index in trace.fence_like({fence.id for fence in trace.fences}):
        yield Problem(
            trace.places[index],
            "fence-not-rendered",
            "readers see this line as literal text; start a fence at column 0, "
            "`language` first, then `{ marks }`, and close it",
        )
    answers: dict[tuple[str, int], int] = {}
    for fence in trace.fences:
        if fence.kind != "fence":
            continue
        if fence.indent:
            yield Problem(
                fence.place, "fence-column", "a fence starts at column 0", fence.indent
            )
        if not page.is_topic:
            continue
        marks = fence.data
        if marks is None or canonical(fence.language) in (None, "http"):
            continue
        scope = page.scope(fence.start)
        count = fence.source.count("\n") + 1
        limit = CHECK_LINES if scope[0] == "check" else BLOCK_LINES
        if count > limit and canonical(fence.language) != "console":
            yield Problem(
                fence.place,
                "block-length",
                f"{count} lines; a block here has at most {limit}",
            )
        before = answers.get(scope, 0)
        answers[scope] = before + count
        if scope[0] == "answer" and before <= ANSWER_LINES < before + count:
            yield Problem(
                fence.place,
                "answer-length",
                f"the answer's code reaches {before + count} lines; at most "
                f"{ANSWER_LINES}",
            )


def _findings(trace: Trace, page: Page) -> Iterator[tuple[int, str, str]]:
    lines = trace.masked()
    hidden = trace.hidden()
    yield from _block_findings(page)
    ids: dict[str, int] = {}
    named = [(h.id, h.index) for h in page.headings if h.id]
    named += [(c.id, c.block.index) for c in page.checks if c.id]
    for name, index in sorted(named, key=lambda item: item[1]):
        if name in ids:
            yield (
                index,
                "duplicate-id",
                f"`{name}` is taken by line {trace.places[ids[name]].line}",
            )
        ids.setdefault(name, index)
    for check in page.checks:
        yield from _check_findings(check)
    if not page.is_topic:
        return
    for question in page.questions:
        yield from _question_findings(question, lines, trace)
    for heading in page.inner_headings:
        yield (
            heading.index,
            "heading-in-answer",
            "a heading would split the answer's search entry; use a bold line",
        )
    if not any(heading.depth == 1 for heading in page.headings):
        yield 0, "page-title", "the page needs a line `# Title`"
    for index, line in enumerate(lines):
        if index in hidden:
            continue
        if re.match(r"^\s*(\?\?\?\+?|!!!) ", line):
            yield (
                index,
                "old-admonition",
                "use `/// details`, `/// warning` or `/// info`",
            )
        if re.match(r'^\s*=== "', line):
            yield index, "no-tabs", "text in a closed tab is neither found nor printed"
        if re.match(r"^\s*[-*+] \[[ xX]\] ", line) and not any(
            check.block.holds(index) for check in page.checks
        ):
            yield index, "task-list", "a task list stands in a `/// check` only"


def _block_findings(page: Page) -> Iterator[tuple[int, str, str]]:
    for block in page.blocks:
        if block.name not in BLOCKS:
            known = ", ".join(f"`{name}`" for name in BLOCKS)
            yield (
                block.index,
                "unknown-block",
                f"`/// {block.name}` is no block; known: {known}",
            )
            continue
        if block.end is None:
            slashes = "/" * block.length
            yield (
                block.index,
                "unclosed-block",
                f"close `{slashes} {block.name}` with a line `{slashes}`",
            )
        for key in block.settings.keys() - _SETTINGS.get(block.name, set()):
            known = ", ".join(sorted(_SETTINGS.get(block.name, ()))) or "none"
            yield (
                block.index,
                "unknown-key",
                f"`{key}:` is no key of `/// {block.name}`; known: {known}",
            )


def _question_findings(
    question: Question, lines: list[str], trace: Trace
) -> Iterator[tuple[int, str, str]]:
    index = question.heading.index
    if not question.id:
        yield index, "question-id", "give the question an id: `{ #slug .mid }`"
    elif not SLUG.fullmatch(question.id):
        yield (
            index,
            "malformed-id",
            f"`{question.id}` is no slug; use a-z, 0-9 and single hyphens",
        )
    levels = [name for name in question.heading.classes if name in LEVELS]
    if len(levels) != 1:
        yield (
            index,
            "question-level",
            "give the question one level: `.junior`, `.mid` or `.senior`",
        )
    answers = [a for a in question.answers if a.settings.get("type") == "question"]
    if len(answers) != 1:
        yield (
            index,
            "question-answer",
            f"a question has one `/// details | Answer` with `type: question`, "
            f"not {len(answers)}",
        )
        return
    for between in range(index + 1, answers[0].index):
        if lines[between].strip() and between not in trace.hidden():
            yield (
                between,
                "before-answer",
                "only the code that the question is about may stand here",
            )
            return


def _check_findings(check: Check) -> Iterator[tuple[int, str, str]]:
    block: Block = check.block
    if not check.id:
        yield block.index, "check-id", "give the check an id: `    id: slug`"
    elif not SLUG.fullmatch(check.id):
        yield (
            block.index,
            "malformed-id",
            f"`{check.id}` is no slug; use a-z, 0-9 and single hyphens",
        )
    if not check.question:
        yield (
            block.index,
            "check-question",
            "write the question after the bar: `/// check | Question?`",
        )
    if len(check.options) < 3:
        yield (
            block.index,
            "check-options",
            f"{len(check.options)} options; a check has three to five "
            "(`- [x] right`, `- [ ] wrong`)",
        )
    if len(check.options) > 5:
        yield (
            block.index,
            "check-options",
            f"{len(check.options)} options; a check has three to five",
        )
    right = sum(option.right for option in check.options)
    if check.options and right in (0, len(check.options)):
        yield (
            block.index,
            "check-answer",
            "no option is right; mark one with `[x]`"
            if right == 0
            else "every option is right; a check needs a wrong one",
        )
    seen: dict[str, Block] = {}
    for option in check.options:
        text = " ".join(option.text.lower().split())
        if text in seen:
            yield option.index, "check-duplicate", "this option stands there twice"
        seen[text] = block
        if not option.why:
            yield (
                option.index,
                "check-why",
                "say why below the option: two spaces, then `> why`",
            )
    if not check.explained:
        yield (
            block.index,
            "check-explanation",
            "the check needs an explanation below its options",
        )


def fence_mark_problems(fence: Fence) -> Iterator[Problem]:
    """Yield what is wrong with the words on a fence."""
    for rule, message in getattr(fence.data, "errors", ()):
        yield Problem(fence.place, rule, message, fence.indent + 1)
