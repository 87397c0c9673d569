"""Macros for index pages, filled from the pages themselves.

Works with mkdocs-macros and with Zensical, which give different ``env.conf``.
"""

from __future__ import annotations

import functools
import os
import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml
from markdown import Markdown

from .marks import Marks
from .page import LEVELS
from .parsers import canonical
from .trace import Fence, Trace, attach

# What the pages' Markdown is read with: the parts that decide where code and
# blocks begin. The rest of the configuration changes only how they look.
_EXTENSIONS = [
    "attr_list",
    "tables",
    "pymdownx.highlight",
    "pymdownx.superfences",
    "pymdownx.blocks.details",
    "pymdownx.blocks.admonition",
    "handbook.extension",
]
_SETTINGS = {
    "pymdownx.blocks.admonition": {"types": ["warning", "info"]},
    # Colours take most of the time, and nobody sees this rendering.
    "pymdownx.highlight": {"use_pygments": False},
}


_LEVEL_CHOICE = "".join(
    [
        '<fieldset class="level-choice"><legend>Level</legend>',
        *(
            f'<label><input type="radio" name="level" value="{value}"'
            f"{' checked' if not value else ''}> {(value or 'all').capitalize()}</label>"
            for value in ("", *LEVELS)
        ),
        "</fieldset>",
    ]
)


@dataclass(frozen=True)
class Item:
    """A question, or a self-check (whose ``level`` is ''), with its HTML title."""

    id: str
    revision: str
    title: str
    level: str


@dataclass(frozen=True)
class Topic:
    """A page as index pages list it; ``file`` is relative to the docs folder."""

    file: str
    title: str
    description: str
    levels: Counter[str]
    checks: int
    # Each question and self-check, in order.
    items: tuple[Item, ...] = ()
    # Each code block, in order: its language, and why it is not run, or ''.
    blocks: tuple[tuple[str, str], ...] = ()
    # What a script finds the topic's or the section's progress by.
    key: str = ""

    @property
    def questions(self) -> int:
        """How many questions the page answers."""
        return sum(self.levels.values())


def define_env(env: Any) -> None:
    """Register the macros; called once for each build."""
    docs = Path(env.conf["docs_dir"]).resolve()
    nav = env.conf["nav"] or []

    def here() -> str:
        page = env.page
        file = getattr(page, "file", None)
        return str(file.src_uri if file is not None else page.path)

    def every_page() -> list[Topic]:
        return [
            read_topic(docs, file)
            for _, files in _sections(docs, nav)
            for file in files
        ]

    @env.macro
    def topics(section: str = "") -> str:
        """List the topic pages of ``section``, by default the page's own."""
        files = _section(_sections(docs, nav), section or here())
        pages = [read_topic(docs, file) for file in files]
        return _list([topic for topic in pages if topic.questions], here())

    @env.macro
    def sections() -> str:
        """List the sections with their numbers of questions."""
        items = []
        for name, files in _sections(docs, nav):
            pages = [t for f in files if (t := read_topic(docs, f)).questions]
            if not pages:
                continue
            index = next((f for f in files if f.endswith("index.md")), files[0])
            total = sum((page.levels for page in pages), Counter())
            items.append(
                Topic(
                    index,
                    name,
                    read_topic(docs, index).description,
                    total,
                    sum(page.checks for page in pages),
                    key=f'data-section="{escape(name)}"',
                )
            )
        return _list(items, here())

    @env.macro
    def progress() -> str:
        """Give the place where a script tells the progress on the whole site."""
        total = sum(len(page.items) for page in every_page())
        return f'<p class="progress" data-all data-total="{total}"></p>'

    @env.macro
    def items() -> str:
        """List every question and self-check by topic, for review."""
        lines = ['<div class="items" data-search-exclude markdown="0">']
        for name, files in _sections(docs, nav):
            pages = [t for f in files if (t := read_topic(docs, f)).items]
            if pages:
                lines.append(f"<h3>{escape(name)}</h3>")
            for page in pages:
                address = _url(page.file, here())
                lines.append(
                    f'<details class="topic" {page.key} data-section="{escape(name)}">'
                    f'<summary><span class="topic__title">{escape(page.title)}</span> '
                    f'<span class="progress" {page.key} data-total="{len(page.items)}">'
                    "</span></summary><ul>"
                )
                lines += [
                    f'<li><a href="{address}#{item.id}" data-rev="{item.revision}">'
                    f"{item.title}</a></li>"
                    for item in page.items
                ]
                lines.append("</ul></details>")
        return "\n".join([*lines, "</div>"])

    @env.macro
    def all_questions() -> str:
        """List every question with its level, by section and topic.

        The choice of a level works by CSS alone.
        """
        lines = ['<div class="all-questions" data-search-exclude markdown="1">', ""]
        lines += [_LEVEL_CHOICE, ""]
        for name, files in _sections(docs, nav):
            pages = [t for f in files if (t := read_topic(docs, f)).questions]
            if pages:
                lines += [f"## {name}", ""]
            for page in pages:
                address = _url(page.file, here())
                levels = " ".join(sorted(page.levels))
                lines.append(
                    f'<div class="all-questions__topic {levels}" markdown="0">'
                    f'<h3><a href="{address}">{escape(page.title)}</a></h3><ul>'
                )
                lines += [
                    f'<li class="{item.level}"><a href="{address}#{item.id}">{item.title}'
                    f'</a> <span class="level level--{item.level}">'
                    f"{item.level.capitalize()}</span></li>"
                    for item in page.items
                    if item.level
                ]
                lines += ["</ul></div>", ""]
        return "\n".join([*lines, "</div>"])

    @env.macro
    def count(what: str) -> int:
        """Return how many ``what`` the site has.

        One of "questions", "checks", "topics", "blocks" (of code), "excused"
        (blocks that are not run), or a language, whose blocks are counted.
        """
        pages = every_page()
        blocks = [block for page in pages for block in page.blocks]
        known = {
            "questions": sum(page.questions for page in pages),
            "checks": sum(page.checks for page in pages),
            "topics": sum(page.questions > 0 for page in pages),
            "blocks": len(blocks),
            "excused": sum(bool(why) for _, why in blocks),
        }
        languages = Counter(language for language, _ in blocks)
        if what not in known and what not in languages:
            names = ", ".join([*known, *sorted(languages)])
            raise ValueError(f"count({what!r}): the site has none; known: {names}")
        return known[what] if what in known else languages[what]

    @env.macro
    def excused() -> str:
        """List the blocks that are not run, with their reasons, as a table."""
        lines = ["| page | language | why it is not run |", "|---|---|---|"]
        for page in every_page():
            link = f'<a href="{_url(page.file, here())}">{escape(page.title)}</a>'
            lines += [
                f"| {link} | {language} | {escape(why)} |"
                for language, why in page.blocks
                if why
            ]
        return "\n".join(lines)

    @env.macro
    def languages() -> str:
        """Tell how many blocks there are of each language, as a table."""
        found = Counter(name for page in every_page() for name, _ in page.blocks)
        rows = [f"| {name} | {number} |" for name, number in found.most_common()]
        return "\n".join(["| language | blocks |", "|---|--:|", *rows])

    @env.macro
    def version(package: str) -> str:
        """Return the version of ``package`` that the examples run against."""
        return locked(docs.parent)[package]


def read_topic(docs: Path, file: str) -> Topic:
    """Read what index pages show of the page ``file``."""
    path = docs / file
    return _read_topic(str(path), file, os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=1000)
def _read_topic(path: str, file: str, _changed: int) -> Topic:
    text = Path(path).read_text("utf-8-sig")
    match = re.match(r"---[ \t]*\n(.*?\n)---[ \t]*\n", text, re.S)
    meta = yaml.safe_load(match[1]) if match else {}
    trace = _read(text[match.end() :] if match else text, file)
    model = trace.model
    asked = [q for q in model.questions if q.level]
    titles = [(q.heading.index, q.id, q.title, q.level) for q in asked]
    titles += [(c.block.index, c.id, c.question, "") for c in model.checks]
    return Topic(
        file,
        str(meta.get("title") or ""),
        str(meta.get("description") or ""),
        Counter(question.level for question in asked),
        len(model.checks),
        tuple(
            Item(name, trace.revisions[name], _inline(title), level)
            for _, name, title, level in sorted(titles)
            if name in trace.revisions
        ),
        tuple(_block(fence) for fence in trace.fences),
        f'data-topic="{_url(file, "index.md")}"',
    )


def _block(fence: Fence) -> tuple[str, str]:
    language = fence.language.lower()
    marks: Marks = fence.data
    why = marks.why or (f"only on Python {marks.python}" if marks.python else "")
    return canonical(language) or language, why


def _inline(title: str) -> str:
    """Return the HTML of a title, of whose Markdown only code is rendered."""
    parts = re.split(r"(`+)(.+?)\1", escape(title, quote=False))
    return "".join(
        f"<code>{part.strip()}</code>" if position % 3 == 2 else part
        for position, part in enumerate(parts)
        if position % 3 != 1
    )


def _read(markdown: str, file: str) -> Trace:
    md = Markdown(extensions=_EXTENSIONS, extension_configs=_SETTINGS)
    trace = attach(md)
    trace.file = file
    # Where a problem is reported is the page's own rendering, not this one.
    trace.keep_tags = True
    md.convert(markdown)
    return trace


def locked(root: Path) -> dict[str, str]:
    """Return the versions in the lock of the tests, by package."""
    text = (root / "tests" / "requirements.txt").read_text("utf-8")
    return dict(re.findall(r"(?m)^([a-z0-9][\w.-]*?)(?:\[[^\]]*\])?==([^ ;\\]+)", text))


def _sections(docs: Path, nav: list[Any]) -> list[tuple[str, list[str]]]:
    """Return the sections of the navigation with their files that exist."""
    found = []
    for entry in nav:
        if "children" in entry:  # as Zensical keeps it
            name, items = entry["title"], entry["children"]
        else:
            name, items = (
                next(iter(entry.items())) if isinstance(entry, dict) else ("", "")
            )
        if items and isinstance(items, list):
            # The builder itself reports a page that is missing.
            found.append((name, [f for f in _files(items) if (docs / f).is_file()]))
    return found


def _files(items: list[Any]) -> list[str]:
    files: list[str] = []
    for item in items:
        if isinstance(item, dict) and "children" in item:
            value = item["children"] or item["url"]
        else:
            value = next(iter(item.values())) if isinstance(item, dict) else item
        files += _files(value) if isinstance(value, list) else [value]
    return files


def _section(sections: list[tuple[str, list[str]]], wanted: str) -> list[str]:
    """Return the files of the section that is named or holds ``wanted``."""
    for name, files in sections:
        if wanted == name or wanted in files:
            return files
    known = ", ".join(name for name, _ in sections)
    raise ValueError(f"mkdocs.yml has no section with {wanted!r}; it has: {known}")


def _list(topics: list[Topic], here: str) -> str:
    """Return an HTML list of links, relative to the page ``here``."""
    lines = ['<ul class="topics" markdown="0">']
    for topic in topics:
        levels = ", ".join(f"{topic.levels[n]} {n}" for n in LEVELS if topic.levels[n])
        lines.append(
            f'<li><a href="{_url(topic.file, here)}">{topic.title}</a>'
            f"<p>{topic.description}</p>"
            f'<p class="topics__count">{topic.questions} questions: {levels} · '
            f"{topic.checks} self-checks</p>"
            f'<p class="progress" {topic.key} data-total="{topic.questions + topic.checks}"></p>'
            "</li>"
        )
    return "\n".join([*lines, "</ul>"])


def _url(file: str, here: str) -> str:
    """Return the address of ``file`` as seen from the built page of ``here``."""

    def folder(name: str) -> str:
        path = name.removesuffix(".md").removesuffix("index")
        return path.rstrip("/") or "."

    return os.path.relpath(folder(file), folder(here)).replace(os.sep, "/") + "/"
