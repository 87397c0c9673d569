"""Print figures of the site and its tools; none of them fails anything.

Times depend on the machine, so two that are compared are measured in one run.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from .build import ROOT, environment
from .build import main as build
from .check import check
from .page import LEVELS

BARE = """\
site_name: Bare
theme: {name: material, font: false}
markdown_extensions:
  - attr_list
  - md_in_html
  - tables
  - pymdownx.highlight
  - pymdownx.superfences
  - pymdownx.blocks.details:
      types: [check]
  - pymdownx.blocks.admonition:
      types: [warning, info]
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="runs of each build")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        site = folder / "site"
        own = min(_timed(lambda: _quiet_build(site)) for _ in range(options.times))
        bare = min(_timed(lambda: _bare(folder)) for _ in range(options.times))
        print(f"build                {own:6.2f} s")
        print(f"the same pages, bare {bare:6.2f} s  (ratio {own / bare:.2f})")
        tenfold = _timed(lambda: _tenfold(folder))
        print(f"ten times the pages  {tenfold:6.2f} s  (ratio {tenfold / own:.1f})")
        report = check(ROOT / "mkdocs.yml")
        totals = report.totals()
        print(
            f"check                {sum(report.seconds.values()):6.2f} s  "
            + "  ".join(f"{k} {v:.2f} s" for k, v in report.seconds.items())
        )
        print(
            f"blocks               {totals['blocks']:6}    {totals['pass']} pass, "
            f"{totals['fail']} fail, {totals['excused']} excused; Python "
            f"{totals['python']}, {totals['python_excused']} excused "
            f"({totals['python_excused_percent']} %)"
        )
        _bytes(site)
    return 0


def _timed(action) -> float:  # noqa: ANN001
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _quiet_build(site: Path) -> None:
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
        if build(["--site-dir", str(site)]):
            raise SystemExit("bench: the site does not build")


def _bare(folder: Path) -> None:
    """Build the same pages with Material as it comes."""
    project = folder / "bare"
    if not project.is_dir():
        shutil.copytree(ROOT / "docs", project / "docs")
        for page in (project / "docs").rglob("*.md"):
            # What only the handbook's own format knows.
            text = re.sub(r"(?m)^    id: .*\n", "", page.read_text("utf-8"))
            page.write_text(text.replace("/// check |", "/// details |"), "utf-8")
        (project / "mkdocs.yml").write_text(BARE)
    _mkdocs(project)


def _tenfold(folder: Path) -> None:
    """Build a project with every topic page ten times, under new ids."""
    project = folder / "tenfold"
    shutil.copytree(
        ROOT,
        project,
        ignore=shutil.ignore_patterns(".git", ".venv", "node_modules", "site", "tests"),
    )
    shutil.copytree(
        ROOT / "tests",
        project / "tests",
        ignore=shutil.ignore_patterns("hostile", "__pycache__"),
    )
    config = (project / "mkdocs.yml").read_text("utf-8")
    for page in sorted((project / "docs").rglob("*.md")):
        text = page.read_text("utf-8")
        if not re.search(r"\{ #\S+ \.(?:" + "|".join(LEVELS) + r") \}", text):
            continue
        for number in range(2, 11):
            copy = re.sub(r"\{ #(\S+) \.", rf"{{ #\1-{number} .", text)
            copy = re.sub(r"(?m)^(    id: \S+)$", rf"\1-{number}", copy)
            page.with_stem(f"{page.stem}-{number}").write_text(copy, "utf-8")
    (project / "mkdocs.yml").write_text(
        config.replace("omitted_files: warn", "omitted_files: ignore")
    )
    _mkdocs(project)


def _mkdocs(project: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet"],
        cwd=project,
        env=environment(),
        check=True,
        capture_output=True,
    )


def _bytes(site: Path) -> None:
    """Print what the heaviest topic page loads first, compressed."""
    heaviest: tuple[int, Path, dict[str, int]] | None = None
    for page in site.glob("*/*/index.html"):
        parts = _first_load(site, page)
        total = sum(parts.values())
        if heaviest is None or total > heaviest[0]:
            heaviest = total, page, parts
    if heaviest is not None:
        total, page, parts = heaviest
        name = page.parent.relative_to(site).as_posix()
        print(
            f"first load           {total / 1000:6.1f} KB gz of {name}/: "
            + ", ".join(f"{k} {v / 1000:.1f}" for k, v in parts.items())
        )
    index = site / "search" / "search_index.json"
    if index.is_file():
        data = index.read_bytes()
        print(
            f"search index         {len(gzip.compress(data, 9)) / 1000:6.1f} KB gz, "
            f"{len(data) / 1000:.0f} KB plain"
        )
    for script in sorted((site / "assets" / "js").glob("*.js")):
        size = len(gzip.compress(script.read_bytes(), 9))
        print(f"{script.name:20} {size / 1000:6.1f} KB gz")


def _first_load(site: Path, page: Path) -> dict[str, int]:
    """Return the compressed bytes of a page and of what it asks for, by kind."""
    text = page.read_text("utf-8")
    sizes = {
        "HTML": len(gzip.compress(text.encode(), 9)),
        "CSS": 0,
        "JS": 0,
        "images": 0,
    }
    base = "/" + page.relative_to(site).as_posix()
    links = re.findall(r'<link rel="(?:stylesheet|icon)" href="([^"]+)"', text)
    links += re.findall(r'<script[^>]* src="([^"]+)"', text)
    links += re.findall(r'<img[^>]* src="([^"]+)"', text)
    for link in links:
        path = site / urlsplit(urljoin(base, link)).path.lstrip("/")
        if not path.is_file():
            continue
        kind = {".css": "CSS", ".js": "JS"}.get(path.suffix, "images")
        sizes[kind] += len(gzip.compress(path.read_bytes(), 9))
    if 'id="__config"' in text:  # Material fetches its index when the page loads
        index = site / "search" / "search_index.json"
        sizes["search"] = len(gzip.compress(index.read_bytes(), 9)) + sum(
            len(gzip.compress(p.read_bytes(), 9))
            for p in (site / "assets" / "javascripts" / "workers").glob("*.js")
        )
    return sizes
