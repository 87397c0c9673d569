"""The check: every block that a reader sees ends with exactly one verdict."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from . import ids, parsers
from .lint import ToolMissing, lint
from .page import Page
from .parsers import PLAIN, canonical
from .places import Place
from .report import FORMATS, Finding, Report, Verdict
from .runner.plan import Runner, RunnerFailed, excuse, plan_page
from .runner.steps import Limits, Outcome, Scope
from .site import BuildFailed, TracedPage, TracedSite, add_scripts_to_path, trace_site
from .trace import Fence


def check(
    config_file: Path,
    run: bool = True,
    paths: list[Path] | None = None,
    seconds: float = Limits.block,
) -> Report:
    """Check the project of ``config_file``.

    ``run`` decides whether the blocks of handbook pages are run and linted;
    ``paths`` limits the report to pages or folders of pages; ``seconds`` is how
    long a block may run.

    :raises BuildFailed: the project does not build.
    :raises ToolMissing: a program that the check needs is not there.
    :raises parsers.ParserUnavailable: the same, of a language's parser.
    """
    report = Report()
    started = time.perf_counter()
    # The warm process imports FastAPI while the site is built.
    runner = Runner(seconds) if run else None
    try:
        site = trace_site(config_file)
        if runner is not None and not site.handbook:
            runner.close()
            runner = None
        pages = _selected(site, paths or [])
        report.pages = len(pages)
        report.seconds["trace"] = time.perf_counter() - started
        _Check(site, pages, report).all(runner)
    finally:
        if runner is not None:
            runner.close()
    report.findings = sorted(set(report.findings))
    report.blocks.sort(key=lambda block: (block.file, block.line))
    return report


class UsageError(ValueError):
    """The command's arguments do not make sense."""


def _selected(site: TracedSite, paths: list[Path]) -> list[TracedPage]:
    if not paths:
        return site.pages
    docs = Path(site.config.docs_dir).resolve()
    chosen: list[TracedPage] = []
    for path in paths:
        full = path.resolve()
        if not full.exists() and (docs / path).exists():
            full = (docs / path).resolve()
        found = [
            page
            for page in site.pages
            if (docs / page.file).resolve().is_relative_to(full)
        ]
        if not found:
            raise UsageError(
                f"{path}: no page of the site; give a page or a folder of {docs}"
            )
        chosen += [page for page in found if page not in chosen]
    return chosen


class _Check:
    def __init__(
        self, site: TracedSite, pages: list[TracedPage], report: Report
    ) -> None:
        self.site = site
        self.pages = pages
        self.report = report
        self.docs = Path(site.config.docs_dir)
        self.verdicts: dict[tuple[str, int], Verdict] = {}

    def all(self, runner: Runner | None) -> None:
        report, seconds = self.report, self.report.seconds
        whole = len(self.pages) == len(self.site.pages)
        started = time.perf_counter()
        for message in self.site.warnings:
            report.findings.append(_from_warning(message))
        for page in self.pages:
            self._cover(page)
        self._parse()
        seconds["parse"] = time.perf_counter() - started
        if self.site.handbook:
            for page in self.pages:
                for problem in page.trace.problems:
                    self._find(
                        problem.place, problem.column, problem.rule, problem.message
                    )
            if whole:
                report.findings += ids.check(self.site)
            self._dependents()
        if runner is not None:
            self._run(runner)
        for page in self.pages:
            for fence in page.fences:
                self.report.blocks.append(self._verdict(page, fence))

    def _find(
        self, place: Place, column: int, rule: str, message: str, level: str = "error"
    ) -> None:
        self.report.findings.append(
            Finding(place.file, place.line, max(column, 1), rule, message, level)
        )

    def _cover(self, page: TracedPage) -> None:
        """Hold what was traced against what the finished page shows."""
        uncovered = self.report.uncovered
        for text in page.unknown:
            first = text.strip().split("\n")[0][:60]
            uncovered.append(
                f"{page.file}: a visible block was not traced, it starts with {first!r}"
            )
        for fence in page.fences:
            shown = page.shown[fence.id]
            if fence.kind != "fence":
                # Only a parser of HTML knows what such a block shows.
                fence.source = fence.shown = shown
            if fence.shown is not None and _words(shown) != _words(fence.shown):
                uncovered.append(
                    f"{page.file}:{fence.place.line}: the page shows other text than "
                    "the source of this block"
                )
        if not self.site.handbook:
            # On handbook pages this is a rule of the format, reported with it.
            visible = set(page.shown)
            for index in page.trace.fence_like(visible):
                self._find(
                    page.trace.places[index],
                    1,
                    "fence-not-rendered",
                    "readers see this line as text, not as the edge of a block; look "
                    "at its indentation, its header and its closing line",
                )

    def _parse(self) -> None:
        todo: list[tuple[TracedPage, Fence]] = []
        for page in self.pages:
            for fence in page.fences:
                marks = fence.data
                language = canonical(fence.language)
                key = (page.file, fence.id)
                if language is None:
                    if fence.language.lower() in PLAIN:
                        self._set(key, page, fence, "pass")
                    else:
                        why = f"no parser for {fence.language}"
                        self._set(key, page, fence, "excused", why)
                elif marks is not None and "syntax-error" in marks:
                    self._set(key, page, fence, "pass")
                else:
                    todo.append((page, fence))
        results = parsers.parse([(f.language, f.source) for _, f in todo])
        for (page, fence), faults in zip(todo, results, strict=True):
            key = (page.file, fence.id)
            if fence.data is not None:
                # A request may show broken JSON; responses are compared when run.
                faults = [f for f in faults if f.rule != "http-json"]
            for fault in faults:
                warning = fault.rule.endswith("-warning")
                self._find(
                    fence.place_of(fault.line),
                    fault.column + fence.indent,
                    fault.rule,
                    fault.message,
                    "warning" if warning else "error",
                )
            errors = [f for f in faults if not f.rule.endswith("-warning")]
            if errors:
                self._set(key, page, fence, "fail", errors[0].message)
                continue
            why = excuse(fence.data) if fence.data is not None else ""
            self._set(key, page, fence, "excused" if why else "pass", why)

    def _set(
        self,
        key: tuple[str, int],
        page: TracedPage,
        fence: Fence,
        verdict: str,
        reason: str = "",
    ) -> None:
        place = fence.place
        self.verdicts[key] = Verdict(
            place.file, place.line, fence.language.lower(), verdict, reason
        )

    def _verdict(self, page: TracedPage, fence: Fence) -> Verdict:
        return self.verdicts[(page.file, fence.id)]

    def _dependents(self) -> None:
        """A `.file` block must be run by a later block of its answer."""
        for page in self.pages:
            model = page_model(page)
            for fence in page.fences:
                if fence.data is None or "file" not in fence.data:
                    continue
                later = [
                    other
                    for other in page.fences
                    if other.start > fence.start
                    and model.scope(other.start) == model.scope(fence.start)
                    and canonical(other.language) in ("python", "console", "http")
                    and "file" not in (other.data or ())
                ]
                if not later:
                    self._find(
                        fence.place,
                        1,
                        "file-not-used",
                        "no later block of this answer runs the file",
                    )

    def _run(self, runner: Runner) -> None:
        report = self.report
        started = time.perf_counter()
        scopes: list[Scope] = []
        owners: dict[int, TracedPage] = {}
        for page in self.pages:
            planned, done = plan_page(
                page.trace, page_model(page), page.fences, self.docs
            )
            for scope in planned:
                owners[id(scope)] = page
            scopes += planned
            for outcome in done.values():
                self._apply(page, outcome)
        # The longest first, so that both workers end at about the same time.
        scopes.sort(
            key=lambda s: -sum(3 if x.kind == "console" else 1 for x in s.steps)
        )
        results = runner.run(scopes)
        for scope in scopes:
            outcomes = {o.fence: o for o in results.get(scope.number, [])}
            for step in scope.steps:
                outcome = outcomes.get(step.fence)
                if outcome is None:
                    outcome = Outcome(step.fence)
                    outcome.fail(0, "runner", "the runner gave no result")
                self._apply(owners[id(scope)], outcome)
        report.seconds["run"] = time.perf_counter() - started
        started = time.perf_counter()
        pages = {
            id(step): owners[id(scope)] for scope in scopes for step in scope.steps
        }
        for remark in lint(scopes):
            page = pages[id(remark.step)]
            fence = next(f for f in page.trace.fences if f.id == remark.step.fence)
            self._find(
                fence.place_of(remark.line), remark.column, remark.rule, remark.message
            )
            self._set((page.file, fence.id), page, fence, "fail", remark.message)
        report.seconds["lint"] = time.perf_counter() - started

    def _apply(self, page: TracedPage, outcome: Outcome) -> None:
        fence = next(f for f in page.trace.fences if f.id == outcome.fence)
        key = (page.file, fence.id)
        for fault in outcome.faults:
            place = fence.place_of(fault.line) if fault.line else fence.place
            self._find(place, 1, fault.rule, fault.message)
        if outcome.verdict == "fail":
            reason = (
                outcome.faults[0].message if outcome.faults else "it does not parse"
            )
            self._set(key, page, fence, "fail", reason)
        elif outcome.verdict == "excused" and self.verdicts[key].verdict == "pass":
            self._set(key, page, fence, "excused", outcome.reason)


def page_model(page: TracedPage) -> Page:
    """Return the content model that the extension read from the page."""
    return page.trace.model  # type: ignore[return-value]


def _words(text: str) -> list[str]:
    """Return the lines of a block that hold more than space.

    HTML has no null character: parsers drop or replace it.
    """
    text = re.sub("[\0\ufffd]", "", text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return [line for line in lines if line]


def _from_warning(message: str) -> Finding:
    """Turn a warning of MkDocs into a finding; it names its page in words."""
    match = re.search(r"'([^']+\.md)'", message)
    return Finding(match[1] if match else "mkdocs.yml", 1, 1, "mkdocs", message)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="check",
        description="Parse and run every code block that a reader of the site sees.",
        epilog="exit status: 0 clean, 1 findings, 2 usage, 3 coverage not established",
    )
    parser.add_argument(
        "--config", type=Path, default=Path("mkdocs.yml"), help="default: mkdocs.yml"
    )
    parser.add_argument("--format", choices=sorted(FORMATS), default="text")
    parser.add_argument(
        "--no-run", action="store_true", help="parse only; run and lint nothing"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=Limits.block,
        help="how long a block may run; default: %(default)g",
    )
    parser.add_argument(
        "--accept-ids",
        action="store_true",
        help="write the ids of all questions and checks to docs/ids.txt",
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    add_scripts_to_path()
    options = arguments(argv)
    config = options.config.resolve()
    if not config.is_file():
        print(
            f"check: {options.config}: no such file; give --config FILE",
            file=sys.stderr,
        )
        return 2
    try:
        if options.accept_ids:
            print(ids.accept(trace_site(config)))
            return 0
        report = check(config, not options.no_run, options.paths, options.seconds)
    except UsageError as error:
        print(f"check: {error}", file=sys.stderr)
        return 2
    except (BuildFailed, ToolMissing, RunnerFailed, parsers.ParserUnavailable) as error:
        print(f"check: coverage not established: {error}", file=sys.stderr)
        if options.format != "text":
            print(FORMATS[options.format](Report(uncovered=[str(error)])), end="")
        return 3
    print(FORMATS[options.format](report), end="")
    return report.status


if __name__ == "__main__":
    sys.exit(main())
