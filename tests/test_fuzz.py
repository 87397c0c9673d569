"""Whatever a page holds, each block that its HTML shows is traced to its lines.

Pages are put together at random from what breaks scanners of fences. The seed is
fixed; ``FUZZ=10000 pytest tests/test_fuzz.py`` tries that many other pages.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable

import pytest
from conftest import ROOT
from handbook.check import _words
from handbook.site import visible_blocks
from handbook.trace import Trace, TraceExtension
from markdown import Markdown
from mkdocs.utils import yaml_load

PAGES = int(os.environ.get("FUZZ", "250"))
SEED = random.randrange(2**32) if "FUZZ" in os.environ else 20_26
HANDBOOK = yaml_load((ROOT / "mkdocs.yml").read_text("utf-8"))["markdown_extensions"]
SUPERFENCES = [
    "toc", "tables", "abbr", "admonition", "attr_list", "def_list", "footnotes", "md_in_html",
    "pymdownx.blocks.admonition", "pymdownx.blocks.details", "pymdownx.blocks.tab",
    "pymdownx.details", "pymdownx.highlight", "pymdownx.inlinehilite", "pymdownx.superfences",
    {"pymdownx.tabbed": {"alternate_style": True}}, "pymdownx.tasklist",
]  # fmt: skip
FENCED_CODE = ["toc", "tables", "attr_list", "admonition", "md_in_html", "fenced_code"]
SETS = {"handbook": HANDBOOK, "superfences": SUPERFENCES, "fenced-code": FENCED_CODE}

OPENERS = [
    "```", "```python", "``` python", "````text", "~~~", "~~~ yaml", "``` { .python }", "```c++",
    '``` { .json #x title="a b" }', '```python { .raises .wrong }', '```python hl_lines="1"',
    '```text { .output }', "```http", "```console", "``` {.python", "```python }", "```a b c",
    "`````", "```{ }", '```python { .no-run why="x" linenums="1" }', "``` ```", "```文", "\t```", "    ```",
    "   ~~~~", "```python\r", "```\u00a0python", "`` `", "~~", "```mermaid",
]  # fmt: skip
CLOSERS = [
    "```",
    "````",
    "~~~",
    "~~~~~",
    "``",
    "",
    "",
    "  ```",
    "\t```",
    "``` ",
    "```x",
    "`````",
]
TEXT = [
    "", "", "", "word", "# Heading", "## Question { #id .mid }", "Heading\n=====", "    indented", "\tindented",
    "- item", "1. item", "  - [x] task", "  > why", "> quote", "> > deep", ": definition", "* * *",
    "<!--", "-->", "<!-- one -->", "<pre>", "</pre>", "<pre><code>raw</code></pre>", "<div>",
    "<div markdown>", "<div markdown='1'>", "</div>", "<details>", "</details>", "<script>", "</script>",
    "<textarea>", "<template>", "</template>", "</textarea>", "<p>", "<b>bold</b>", "&lt;pre&gt;", "<PRE class=x>",
    "/// details | Answer", "    type: question", "/// check | Q", "    id: a", "/// warning", "///",
    "//// tab | T", "////", "/// unknown", '=== "Tab"', '!!! note "N"', "??? tip", "{{ macro() }}",
    "{% if x %}", "{# no", "[^1]: note", "*[abbr]: long", "[ref]: http://x", "| a | b |\n| - | - |\n| ``` | x |",
    "\u2028", "\x0c", "\x00", "\x02wzxhzdk:0\x03", "\x02", "\ufeff", "\u00a0\u00a0\u00a0\u00a0nbsp", "\r", "😀", "\\```",
    "\ue0001\ue001", "---", "...", "`code`", "``` inline ```", '--8<-- "x"', "~~~~ ~~~~", "\x1e", "wzxhzdk:1",
]  # fmt: skip
CODE = [
    "x = 1",
    "",
    "  y",
    "<pre>",
    "</pre>",
    "&amp;",
    "<!--",
    "-->",
    "# > out",
    "$ ls",
    "///",
    "GET / HTTP/1.1",
    "\tt",
]
PREFIXES = [
    "",
    "",
    "",
    "",
    "    ",
    "\t",
    "> ",
    ">",
    "- ",
    "  ",
    "1. ",
    "        ",
    ">     ",
    " ",
]


def page(rng: random.Random) -> str:
    """Return a page; lines of code carry a token of their own."""
    lines: list[str] = []
    for _ in range(rng.randint(1, 14)):
        prefix = rng.choice(PREFIXES)
        if rng.random() < 0.5:
            part = rng.choice(TEXT).split("\n")
        else:
            body = [
                rng.choice(CODE) + rng.choice(["", f" tok{rng.randrange(10**9)}end"])
                for _ in range(rng.randint(0, 3))
            ]
            part = [rng.choice(OPENERS), *body, rng.choice(CLOSERS)]
        for number, text in enumerate(part):
            bullet = prefix.strip() in ("-", "1.") and number and rng.random() < 0.8
            lines.append((" " * len(prefix) if bullet else prefix) + text)
        lines += [""] * rng.randrange(3)
    return "\n".join(lines)


def renderer(extensions: list) -> Callable[[str], tuple[Trace, str]]:
    """Return a function that renders a page as the check does."""
    names = [e if isinstance(e, str) else next(iter(e)) for e in extensions]
    configs = {k: v for e in extensions if isinstance(e, dict) for k, v in e.items()}

    def render(text: str) -> tuple[Trace, str]:
        traces: list[Trace] = []
        extension = TraceExtension(lambda md, trace: traces.append(trace))
        md = Markdown(extensions=[*names, extension], extension_configs=configs)
        traces[0].file = "fuzz.md"
        return traces[0], md.convert(text)

    return render


def faults(trace: Trace, html: str) -> list[str]:
    """Return what the trace of a page gets wrong."""
    wrong = []
    shown, unknown = visible_blocks(html)
    wrong += [f"not traced: {text!r}" for text in unknown]
    fences = {fence.id: fence for fence in trace.fences}
    wrong += [f"no such block: {number}" for number in shown.keys() - fences.keys()]
    for number in shown.keys() & fences.keys():
        fence = fences[number]
        if fence.kind != "fence":
            continue  # such a block's text is read from the finished page
        if fence.shown is not None and _words(shown[number]) != _words(fence.shown):
            wrong.append(f"{fence.place}: shows {shown[number]!r}, not {fence.shown!r}")
        for at, line in enumerate(fence.source.split("\n"), 1):
            token = re.search(r"tok\d+end", line)
            place = fence.place_of(at)
            if token and token[0] not in trace.lines[place.line - 1]:
                wrong.append(f"{token[0]} is not on line {place.line}")
    spans = [(f.start, f.end) for n, f in fences.items() if n in shown]
    literal = set(trace.fence_like(set(shown)))
    hidden = trace.hidden()
    opaque = False
    for index, line in enumerate(trace.lines):
        opaque = opaque or bool(re.search(r"<(script|textarea|template|!--)", line))
        inside = any(start <= index < end for start, end in spans)
        explained = inside or opaque or index in literal or index in hidden
        if re.match(r"[ \t>]*(?:```[^`]*|~~~.*)$", line) and not explained:
            wrong.append(f"line {index + 1} is not explained: {line!r}")
    return wrong


@pytest.mark.parametrize("name", SETS)
def test_random_pages(name: str) -> None:
    """Every `pre` is traced, shows its source, and each of its lines is found."""
    render = renderer(SETS[name])
    for number in range(PAGES):
        seed = f"{SEED} {name} {number}"
        text = page(random.Random(seed))
        try:
            untraced = plain(SETS[name], text)
        except Exception:  # noqa: BLE001
            continue  # Markdown itself cannot render this page
        trace, html = render(text)
        wrong = faults(trace, html)
        assert not wrong, f"{seed}: {wrong}\n{text!r}"
        bare = re.sub(r' data-trace="\d+"', "", html)
        assert bare == untraced, f"{seed}: tracing changes the page\n{text!r}"


def plain(extensions: list, text: str) -> str:
    """Render without the trace."""
    names = [e if isinstance(e, str) else next(iter(e)) for e in extensions]
    configs = {k: v for e in extensions if isinstance(e, dict) for k, v in e.items()}
    return Markdown(extensions=names, extension_configs=configs).convert(text)


@pytest.mark.parametrize("name", SETS)
def test_random_site(project, name: str) -> None:
    """A site of random pages is covered: each block has one verdict, and no page is lost."""
    handbook = name == "handbook"
    pages = {}
    for number in range(PAGES // 5):
        text = page(random.Random(f"{SEED} site {name} {number}"))
        try:
            plain(SETS[name], text)
        except Exception:  # noqa: BLE001
            continue
        pages[f"p{number}.md"] = text.replace("\r", "")
    settings = {} if handbook else {"extensions": SETS[name]}
    report = project(pages, handbook=handbook, **settings)
    assert report.uncovered == []
    assert report.pages == len(pages)
    assert len(report.blocks) > len(pages) // 2
    assert {b.verdict for b in report.blocks} <= {"pass", "fail", "excused"}
    lengths = {f"{name}": text.count("\n") + 1 for name, text in pages.items()}
    for item in [*report.blocks, *report.findings]:
        assert 1 <= item.line <= lengths.get(item.file, 1), item
