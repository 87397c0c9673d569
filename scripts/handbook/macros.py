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

from .page import LEVELS
from .trace import Trace, attach

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


@dataclass(frozen=True)
class Topic:
    """A page as index pages list it; ``file`` is relative to the docs folder."""

    file: str
    title: str
    description: str
    levels: Counter[str]
    checks: int
    # Each question and self-check, in order: its id, revision and title.
    items: tuple[tuple[str, str, str], ...] = ()
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
        total = sum(
            len(read_topic(docs, file).items)
            for _, files in _sections(docs, nav)
            for file in files
        )
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
                    f'<li><a href="{address}#{name}" data-rev="{revision}">{title}</a></li>'
                    for name, revision, title in page.items
                ]
                lines.append("</ul></details>")
        return "\n".join([*lines, "</div>"])

    @env.macro
    def count(what: str) -> int:
        """Return the number of "questions", "checks" or "topics" of the site."""
        pages = [
            read_topic(docs, file)
            for _, files in _sections(docs, nav)
            for file in files
        ]
        return sum(
            {"questions": p.questions, "checks": p.checks, "topics": p.questions > 0}[
                what
            ]
            for p in pages
        )

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
    titles = [(q.heading.index, q.id, q.title) for q in asked]
    titles += [(c.block.index, c.id, c.question) for c in model.checks]
    return Topic(
        file,
        str(meta.get("title") or ""),
        str(meta.get("description") or ""),
        Counter(question.level for question in asked),
        len(model.checks),
        tuple(
            (name, trace.revisions[name], _inline(title))
            for _, name, title in sorted(titles)
            if name in trace.revisions
        ),
        f'data-topic="{_url(file, "index.md")}"',
    )


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
