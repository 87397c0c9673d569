"""The registry of ids: an id once published stays.

Progress, links and cards hang on the ids of questions and checks. They stand
in ``docs/ids.txt``, so that a rename or a removal shows as a changed line.
"""

from __future__ import annotations

from pathlib import Path

from .report import Finding
from .site import TracedSite

FILE = "ids.txt"
_REMEDY = "run `./scripts/check --accept-ids` and commit docs/ids.txt"


def check(site: TracedSite) -> list[Finding]:
    """Compare the ids of the site with the registry, if the site has one."""
    registry = Path(site.config.docs_dir, FILE)
    if not registry.is_file():
        return []
    findings = []
    lines = registry.read_text("utf-8").split("\n")
    known = {
        line.strip(): number for number, line in enumerate(lines, 1) if line.strip()
    }
    present = _ids(site)
    for name, (file, line) in present.items():
        if name not in known:
            text = f"`{name}` is not in docs/ids.txt; if it is new, {_REMEDY}"
            findings.append(Finding(file, line, 1, "id-not-registered", text))
    for name, number in known.items():
        if name not in present:
            text = (
                f"`{name}` is gone from the pages, and with it readers' progress and "
                f"links; restore it, or {_REMEDY}"
            )
            findings.append(Finding(FILE, number, 1, "id-removed", text))
    return findings


def accept(site: TracedSite) -> str:
    """Write the registry; return what changed, in words."""
    registry = Path(site.config.docs_dir, FILE)
    before = set(registry.read_text("utf-8").split()) if registry.is_file() else set()
    after = set(_ids(site))
    registry.write_text("".join(f"{name}\n" for name in sorted(after)), "utf-8")
    return (
        f"{registry.name}: {len(after - before)} added, {len(before - after)} removed"
    )


def _ids(site: TracedSite) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for page in site.pages:
        model = page.trace.model
        if model is None:
            continue
        places = page.trace.places
        for question in model.questions:
            if question.id and question.level:
                place = places[question.heading.index]
                found[question.id] = (place.file, place.line)
        for item in model.checks:
            if item.id:
                place = places[item.block.index]
                found[item.id] = (place.file, place.line)
    return found
