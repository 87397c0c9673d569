"""Parse code blocks with the real parser of their language.

``parse([("python", "x = (1"), ("json", "{}")])`` returns two lists: one with a `Fault`
at line 1, column 5, and an empty one.

Nothing is ever executed, and nothing is read from the network. Lines are those of
``source.split("\\n")`` after ``"\\r\\n"`` has become ``"\\n"``: form feeds, lone
carriage returns and U+2028 do not start a line, whatever the language thinks.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .base import BatchParser, Fault, ParserUnavailable, crash

__all__ = ["PLAIN", "Fault", "ParserUnavailable", "canonical", "parse"]

# Languages that mean "not code": there is no grammar to check them against.
PLAIN: frozenset[str] = frozenset(
    {
        "",
        "console output",
        "log",
        "none",
        "out",
        "output",
        "plain",
        "plaintext",
        "text",
        "txt",
    }
)

# Canonical language -> (module that parses it, other names).
_LANGUAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "python": ("python", ("py", "py3", "python3", "pyi")),
    "pycon": ("python", ("pycon3", "doctest", "python-console")),
    "json": ("data", ("geojson",)),
    "jsonc": ("data", ()),
    "jsonl": ("data", ("ndjson", "jsonlines")),
    "yaml": ("data", ("yml",)),
    "toml": ("data", ()),
    "ini": ("data", ("cfg",)),
    "dotenv": ("data", ("env",)),
    "bash": ("shell", ("sh", "shell")),
    "console": (
        "shell",
        ("shell-session", "shellsession", "bash-session", "sh-session"),
    ),
    "dockerfile": ("shell", ("docker",)),
    "nginx": ("nginx", ("nginxconf",)),
    "sql": ("sql", ("postgres", "postgresql", "sqlite", "sqlite3", "mysql")),
    "html": ("markup", ()),
    "jinja": ("markup", ("jinja2", "html+jinja", "html+jinja2")),
    "css": ("markup", ()),
    "xml": ("markup", ("svg",)),
    "javascript": ("javascript", ("js", "mjs", "cjs")),
    "http": ("http", ()),
}
_NAMES: dict[str, str] = {
    name: language
    for language, (_, others) in _LANGUAGES.items()
    for name in (language, *others)
}

# These start a program and wait for it, so they run beside the others.
_EXTERNAL = frozenset({"bash", "console", "dockerfile", "javascript"})

_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical(language: str) -> str | None:
    """The one name of a language, or None when no parser exists for it.

    Case and surrounding blanks do not count: ``"Python"``, ``"py"`` and ``"python3"``
    are all ``"python"``. JSON5, TypeScript, JSX and diffs have no parser here.
    """
    return _NAMES.get(language.strip().lower())


def parse(blocks: Sequence[tuple[str, str]]) -> list[list[Fault]]:
    """Parse blocks and report their syntax errors.

    Args:
        blocks: (language, source) pairs; any name that `canonical` knows will do.

    Returns:
        One list of faults per block, in the blocks' order, each sorted by line and
        column. A block whose language has no parser gets an empty list: ask
        `canonical` first to tell "sound" from "not checked".

    Raises:
        ParserUnavailable: a block needs an external program (node, hadolint, shfmt)
            that is missing or cannot be started.
    """
    sources = [_clean(source) for _, source in blocks]
    groups: dict[str, list[int]] = {}
    for index, (language, _) in enumerate(blocks):
        name = canonical(language)
        if name is not None:
            groups.setdefault(name, []).append(index)

    def run(language: str) -> list[list[Fault]]:
        return _run(language, [sources[index] for index in groups[language]])

    outside = [language for language in groups if language in _EXTERNAL]
    found: dict[str, list[list[Fault]]] = {}
    with ThreadPoolExecutor(max_workers=len(_EXTERNAL)) as pool:
        waiting = {language: pool.submit(run, language) for language in outside}
        for language in groups:
            if language not in _EXTERNAL:
                found[language] = run(language)
        for language, future in waiting.items():
            found[language] = future.result()

    results: list[list[Fault]] = [[] for _ in blocks]
    for language, indexes in groups.items():
        for index, faults in zip(indexes, found[language], strict=True):
            inside = {_inside(fault, sources[index]) for fault in faults}
            order = sorted(inside, key=lambda f: (f.line, f.column, f.rule, f.message))
            results[index] = order
    return results


def _run(language: str, sources: list[str]) -> list[list[Fault]]:
    """Parse all the sources of one language."""
    # Imported when needed: a page without SQL should not wait for its parser.
    module = importlib.import_module(f".{_LANGUAGES[language][0]}", __name__)
    parser: BatchParser = module.PARSERS[language]
    try:
        return parser(sources)
    except ParserUnavailable:
        raise
    except Exception as error:
        return [[crash(language, error)] for _ in sources]


def _clean(source: str) -> str:
    """Normalise line ends, and replace what UTF-8 cannot hold, one for one."""
    return _SURROGATE.sub("\ufffd", source.replace("\r\n", "\n"))


def _inside(fault: Fault, source: str) -> Fault:
    """Move a fault "at the end of the input" onto the last line that can be shown."""
    lines = source.removesuffix("\n").split("\n")
    if fault.line > len(lines):
        line, column = len(lines), len(lines[-1]) + 1
    else:
        line = max(fault.line, 1)
        column = min(max(fault.column, 1), len(lines[line - 1]) + 1)
    return Fault(line, column, fault.message, fault.rule)
