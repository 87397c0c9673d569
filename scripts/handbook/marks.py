"""The words on a fence: ```` ```python { #id .class key="value" } ````."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .parsers import PLAIN, canonical

# For each class and key: the languages it may stand on ("*": any), and what
# it means there. The format is described in CONTRIBUTING.md.
_CLASSES = {
    "continues": "python",
    "file": "python",
    "raises": "python",
    "syntax-error": "python",
    "wrong": "*",
    "no-run": "*",
    "output": "text",
}
_KEYS = {
    "title": "*",
    "why": "*",
    "app": "http console",
    "python": "python",
}


@dataclass(frozen=True)
class Marks:
    """The parsed header of a fence.

    ``language`` is as written, in lower case; ``errors`` holds pairs of rule
    and message for whatever in the header has no meaning.
    """

    language: str
    id: str = ""
    classes: frozenset[str] = frozenset()
    title: str = ""
    why: str = ""
    app: str = ""
    python: str = ""
    errors: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __contains__(self, name: str) -> bool:
        return name in self.classes


def read_marks(
    language: str, name: str, classes: Sequence[str], keys: Mapping[str, str]
) -> Marks:
    """Read the header of a fence; what is wrong with it stands in ``errors``."""
    errors: list[tuple[str, str]] = []
    language = language.lower()
    kind = canonical(language) or language

    def allowed(where: str) -> bool:
        return where == "*" or kind in where.split()

    if not language:
        errors.append(
            ("fence-language", "name the language; `text` is for what has no grammar")
        )
    elif canonical(language) is None and language not in PLAIN:
        errors.append(
            (
                "unknown-language",
                f"no parser for `{language}`; use a language that can be checked, "
                "or `text`",
            )
        )
    for word in classes:
        if word not in _CLASSES:
            errors.append(
                ("unknown-mark", f"`.{word}` is no mark; known: {_names('.')}")
            )
        elif not allowed(_CLASSES[word]):
            errors.append(
                (
                    "misplaced-mark",
                    f"`.{word}` stands on {_CLASSES[word]} blocks only",
                )
            )
    for key in keys:
        if key not in _KEYS:
            errors.append(("unknown-mark", f"`{key}=` is no key; known: {_names('=')}"))
        elif not allowed(_KEYS[key]):
            errors.append(
                ("misplaced-mark", f"`{key}=` stands on {_KEYS[key]} blocks only")
            )
    if "no-run" in classes and not keys.get("why", "").strip():
        errors.append(("no-run-why", '`.no-run` needs its reason: why="needs MongoDB"'))
    if "why" in keys and "no-run" not in classes:
        errors.append(("misplaced-mark", "`why=` belongs to `.no-run`"))
    if "file" in classes and not keys.get("title"):
        errors.append(("file-title", '`.file` needs a name: title="app/main.py"'))
    exclusive = {"raises", "syntax-error", "file", "no-run"} & set(classes)
    if len(exclusive) > 1:
        both = " and ".join(f"`.{word}`" for word in sorted(exclusive))
        errors.append(("misplaced-mark", f"{both} exclude each other"))
    return Marks(
        language=language,
        id=name,
        classes=frozenset(classes),
        errors=tuple(errors),
        **{key: keys[key] for key in _KEYS if key in keys},
    )


def _names(style: str) -> str:
    if style == ".":
        return ", ".join(f"`.{word}`" for word in _CLASSES)
    return ", ".join(f"`{key}=`" for key in _KEYS)
