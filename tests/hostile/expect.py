"""Write expected.json from the marks in the pages, and check it against the built site.

    mkdocs build --strict -f tests/hostile/mkdocs.yml -d /tmp/hostile-site
    python tests/hostile/expect.py /tmp/hostile-site            # compare only
    python tests/hostile/expect.py /tmp/hostile-site --write    # write expected.json

The marks (see README.md) say what a page is meant to show; the HTML says what a reader sees.
Any difference stops the script, so neither can be wrong alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import html5lib

HERE = Path(__file__).parent
DOCS = HERE / "docs"
XHTML = "{http://www.w3.org/1999/xhtml}"

MARK = re.compile(r"(ok|bad|ind|raw|no|lit|may|next|mok|mbad)_([a-z]+\d\d)")
FENCE = re.compile(r"^(?:[ \t>]|\d+\. |[-*+] |: {3})*(`{3,}|~{3,})(.*)$")
NO_PARSER = {"mermaid", "math", "rust", "go", "haskell", "diff", "c++", "unknownlang", "文"}
NOT_PARSED = {"", "text", "txt"}

# Occurrences of a mark that are no block of their own: (file, mark, which one).
SKIPPED = {
    ("comments.md", "ok_c11", 0): "in an HTML comment, and again below as a block",
    ("comments.md", "bad_c11", 0): "in an HTML comment, and again below as a block",
    ("duplicates.md", "ok_tw01", 0): "in an HTML comment, and again below as a block",
    ("duplicates.md", "bad_tw01", 0): "in an HTML comment, and again below as a block",
    ("duplicates.md", "bad_tw01", 5): None,  # a text block
    ("duplicates.md", "bad_tw01", 6): None,  # indented code
    ("duplicates.md", "ok_tw07", 0): None,  # inside a text block
}
# An indented block with the same text as a fence.
INDENTED = {("duplicates.md", "ok_tw01", 6)}
# Fences whose body is a snippet: (file, the line's text after the marker, id).
BODIES = [
    ("snippets.md", "good.py", "p01"),
    ("snippets.md", "bad_first.py", "p02"),
    ("snippets.md", "bad_middle.json", "p03"),
    ("snippets.md", "bad_last_no_newline.yaml", "p04"),
    ("snippets.md", "sections.py:good", "p05"),
    ("snippets.md", "sections.py:bad", "p06"),
    ("snippets.md", "sections.py:indented", "p07"),
    ("snippets.md", "lines.py:2:3", "p08"),
    ("snippets-again.md", "bad_first.py", "p02"),
    ("../snippets/sub/inner.md", "sub/innermost.py", "p14"),
    ("deep/er/page.md", "sub/innermost.py", "p14"),
]
# Errors on a line without a mark of its own: (file, mark, which occurrence, how many lines below it).
UNMARKED = [
    ("duplicates.md", "ok_tw03", 1, 0),
    ("duplicates.md", "ok_tw04", 1, 0),
    ("duplicates.md", "ok_tw05", 2, 0),
    ("languages-1.md", "bad_li03", 0, -1),
]
MOVED = {"bad_li03"}
# Macro calls over several lines: mark -> how many lines above it the call begins.
CALL_ABOVE = {"mok_m20": 2, "mbad_m20": 3}

WHY = {
    "comments.md": "in an HTML comment",
    "crlf.md": "in an HTML comment",
    "front-matter.md": "in the front matter",
    "inline.md": "inline code or text, no fence",
    "excluded.md": "the page is excluded",
    "old.md": "the page is excluded",
    "page.md": "the page is excluded",
    "draft.md": "the page is a draft",
    "notes.txt": "no Markdown page",
    "macros.md": "removed by the template",
    "macros-loops.md": "removed by the template",
    "macros-off.md": "a macro call shown as text",
    "parts.md": "outside of the section that is included",
    "unused.md": "the snippet is included in a comment only",
    "html.md": "inside an element that shows no code",
    "tables.md": "text of a table or paragraph",
    "indented.md": "paragraph, not code, in Python-Markdown",
    "unicode.md": "full-width graves",
    "whitespace.md": "a no-break space is no indentation: inline code",
    "admonitions.md": "a title",
}


def sources() -> dict[str, list[str]]:
    """Every text of the corpus by its path relative to docs, split into lines as editors count them."""
    paths = [p for p in sorted(DOCS.rglob("*")) if p.is_file()]
    paths += [p for p in sorted((HERE / "snippets").rglob("*")) if p.is_file()]
    texts = {}
    for path in paths:
        name = path.relative_to(DOCS) if path.is_relative_to(DOCS) else Path("..") / path.relative_to(HERE)
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        texts[name.as_posix()] = text.split("\n")
    return texts


def place(row: dict) -> tuple[str, int]:
    """Where a row of expected.json points, for sorting."""
    return row["file"], row["line"]


def language_of(line: str) -> str:
    """The language that an opener's header names, lower-cased."""
    if call := re.search(r'\{\{ (?:code|several)\("(\w+)"', line):
        return call[1]
    header = FENCE.match(line)[2]
    if plain := re.match(r"[ \t]*\.?([\w#.+-]+)(?=[\t ]|$)", header):
        return plain[1].lower()
    if braces := re.match(r"[ \t]*\{[^}]*?(?<![\w\"=])\.([\w-]+)", header):
        return braces[1].lower()
    return ""


def above(lines: list[str], at: int, pattern: re.Pattern = FENCE) -> int:
    """The nearest line at or above this one that looks like a fence."""
    while not pattern.search(lines[at]):
        at -= 1
    return at


def block_text(element) -> str:
    """The text of a <pre>, without that of a <pre> inside it."""
    text = element.text or ""
    for child in element:
        if isinstance(child.tag, str) and child.tag != f"{XHTML}pre":
            text += block_text(child)
        text += child.tail or ""
    return text


def visible(element, found: list) -> list:
    """Every <pre> that a reader sees as code, in the order of the page."""
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name = child.tag.removeprefix(XHTML)
        if name in ("template", "script", "style", "textarea") or "linenos" in (child.get("class") or ""):
            continue
        if name == "pre":
            found.append(block_text(child))
        visible(child, found)
    return found


def built(site: Path) -> dict[str, list[str]]:
    """The visible code blocks of every page that was built, by the page's source."""
    pages = {}
    for path in sorted(site.rglob("*.html")):
        tree = html5lib.parse(path.read_text("utf-8"))
        articles = [a for a in tree.iter(f"{XHTML}article") if "md-content__inner" in (a.get("class") or "")]
        if path.name == "404.html":
            continue
        name = path.parent.relative_to(site).as_posix()
        names = ["index.md"] if name == "." else [f"{name}.md", f"{name}.markdown"]
        source = next(n for n in names if (DOCS / n).exists())
        pages[source] = visible(articles[0], [])
    return pages


def expect(site: Path) -> tuple[dict, list[str]]:
    """What the marks announce, joined with the pages that show it; and what does not fit."""
    texts, pages, wrong = sources(), built(site), []
    openers: dict[str, list] = defaultdict(list)  # id -> (file, line, language)
    errors, lookalikes, allowed, empty = [], [], [], []
    seeded: dict[tuple, str] = {}  # (file, line) -> mark
    seen_ok = {
        m[2] for lines in texts.values() for line in lines for m in MARK.finditer(line) if m[1] != "bad"
    }

    for file, lines in texts.items():
        page_like = file.endswith((".md", ".markdown"))
        counts: Counter = Counter()
        for at, line in enumerate(lines):
            for m in MARK.finditer(line):
                kind, name, mark = m[1], m[2], m[0]
                nth = counts[mark]
                if line.count(mark) > 1 and m.start() != line.index(mark):
                    continue
                counts[mark] += 1
                if (file, mark, nth) in SKIPPED:
                    if (why := SKIPPED[file, mark, nth]) and kind == "ok":
                        lookalikes.append({"file": file, "line": above(lines, at) + 1, "why": why})
                    continue
                if kind in ("bad", "mbad") and mark not in MOVED:
                    seeded[file, at - CALL_ABOVE.get(mark, 0) + 1] = mark
                for f, unmarked, n, below in UNMARKED:
                    if (f, unmarked, n) == (file, mark, nth):
                        seeded[file, at + below + 1] = f"near {mark}"
                if (file, mark, nth) in INDENTED or kind == "ind":
                    literal = kind == "ind" and FENCE.match(
                        lines[at - 1]
                    )  # the block begins with its backticks
                    openers[name].append((file, at if literal else at + 1, ""))
                elif kind == "raw":
                    openers[name].append((file, above(lines, at, re.compile("<pre")) + 1, ""))
                elif kind in ("mok", "mbad"):
                    top = at - CALL_ABOVE.get(mark, 0)
                    openers[name].append(
                        (file, top + 1, "yaml" if name == "m20" else language_of(lines[top]))
                    )
                elif page_like and (kind == "ok" or (kind == "bad" and name not in seen_ok)):
                    top = above(lines, at)
                    openers[name].append((file, top + 1, language_of(lines[top])))
                elif kind == "lit":
                    top = above(lines, at)
                    errors.append(
                        {"file": file, "line": top + 1, "language": "", "note": "fence-not-rendered"}
                    )
                    for below in range(top + 1, min(top + 6, len(lines))):
                        if (f := FENCE.match(lines[below])) and not f[2].strip():
                            allowed.append(
                                {"file": file, "line": below + 1, "why": "closer of a fence not rendered"}
                            )
                            break
                elif kind == "no":
                    marks = ("```", "~~~")
                    top = at if any(x in line for x in marks) else at - any(x in lines[at - 1] for x in marks)
                    lookalikes.append({"file": file, "line": top + 1, "why": WHY[Path(file).name]})
                    if name == "s14":
                        for line_of_fence in (top + 1, at + 2):
                            allowed.append(
                                {"file": file, "line": line_of_fence, "why": "no-break space before a fence"}
                            )
                elif kind == "may":
                    allowed.append({"file": file, "line": at + 1, "why": "swallowed by the block above"})
                elif kind == "next":
                    top = next(i for i in range(at, len(lines)) if FENCE.match(lines[i]))
                    empty.append((file, top + 1, language_of(lines[top])))
    for file, snippet, name in BODIES:
        at = next(i for i, x in enumerate(texts[file]) if x.strip() == f'--8<-- "{snippet}"')
        top = above(texts[file], at)
        openers[name] = [o for o in openers[name] if o[0].endswith(".md")] + [
            (file, top + 1, language_of(texts[file][top]))
        ]
    openers["p39"] = [("../snippets/rejected.md", 3, "")]  # the stray closer stands in the snippet
    for name, places in openers.items():
        openers[name] = list(dict.fromkeys(places))

    blocks, shown = [], set()
    for page, pres in pages.items():
        ids = []
        for pre in pres:
            m = MARK.search(pre)
            ids.append(m[2] if m else None)
            if m and m[1] in ("no", "lit"):
                wrong.append(f"{page}: {m[0]} is visible as code")
        totals, nth = Counter(ids), Counter()
        for pre, name in zip(pres, ids):
            if name is None:
                if pre.strip() or not empty:
                    wrong.append(f"{page}: a block without a mark: {pre[:60]!r}")
                    continue
                file, line, language = empty.pop(0)
                contains = ""
            else:
                own = [o for o in openers[name] if o[0] == page]
                here = own or [o for o in openers[name] if o[0].startswith("..")]
                k = nth[name] if len(here) > 1 else 0
                nth[name] += 1
                if not here or k >= len(here) or (len(here) > 1 and totals[name] != len(here)):
                    wrong.append(f"{page}: {name} shown {totals[name]} times, announced at {here}")
                    continue
                file, line, language = here[k]
                contains = MARK.search(pre)[0]
            shown.add((file, line))
            bad = re.search(r"(?<![a-z])m?bad_[a-z]+\d\d", pre)
            near = any(
                f == file
                and s.startswith("near")
                and s[-4:] == (name or "")[-4:]
                and 0 < at - line <= 8
                and language not in NOT_PARSED
                for (f, at), s in seeded.items()
            )
            verdict = "pass"
            if language in NO_PARSER:
                verdict = "excused"
            elif language not in NOT_PARSED and (bad or near):
                verdict = "fail"
            blocks.append(
                {
                    "page": page,
                    "file": file,
                    "line": line,
                    "language": language,
                    "verdict": verdict,
                    "contains": contains,
                }
            )
            if verdict == "fail":
                for m in re.finditer(r"(?<![a-z])m?bad_[a-z]+\d\d", pre):
                    for key in [k for k, mark in seeded.items() if mark == m[0]]:
                        if key[0].startswith("..") or key[0] == page:
                            errors.append(
                                {
                                    "file": key[0],
                                    "line": key[1],
                                    "language": language,
                                    "note": f"seeded: {m[0]}",
                                }
                            )
                for key in [
                    k
                    for k, mark in seeded.items()
                    if near
                    and mark.startswith("near")
                    and k[0] == file
                    and 0 < k[1] - line <= 8
                    and mark.endswith(name)
                ]:
                    errors.append(
                        {
                            "file": key[0],
                            "line": key[1],
                            "language": language,
                            "note": f"seeded: {seeded[key]}",
                        }
                    )
    for name, places in openers.items():
        for file, line, _ in places:
            if (file, line) not in shown:
                wrong.append(f"{file}:{line}: {name} is announced and not visible")
    unique = {(e["file"], e["line"], e["note"]): e for e in errors}
    for (file, line), mark in seeded.items():
        if not any(e["file"] == file and e["line"] == line and mark in e["note"] for e in unique.values()):
            wrong.append(f"{file}:{line}: {mark} is no error of any block")
    expected = {
        "blocks": blocks,
        "errors": sorted(unique.values(), key=place),
        "lookalikes": sorted({(x["file"], x["line"]): x for x in lookalikes}.values(), key=place),
        "allowed": sorted((a for a in allowed if (a["file"], a["line"]) not in shown), key=place),
    }
    return expected, wrong


def main() -> int:
    """Compare, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    expected, wrong = expect(args.site)
    print("\n".join(wrong) or "marks and HTML agree")
    print(
        {key: len(value) for key, value in expected.items()},
        Counter(b["verdict"] for b in expected["blocks"]),
        len({(b["file"], b["line"]) for b in expected["blocks"]}),
    )
    if wrong:
        return 1
    lines = []
    for key, rows in expected.items():
        body = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
        lines.append(f'"{key}": [\n{body}\n]')
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    target = HERE / "expected.json"
    if args.write:
        target.write_text(text, encoding="utf-8")
    elif target.read_text("utf-8") != text:
        print("expected.json differs; use --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
