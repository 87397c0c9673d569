"""Blocks and errors are found on sites that do everything to hide them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT, annotated, differences
from handbook.check import check
from handbook.report import Report

CORPUS = ROOT / "tests" / "hostile"
EXPECTED = json.loads((CORPUS / "expected.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def corpus() -> Report:
    """The report on the hostile corpus."""
    return check(CORPUS / "mkdocs.yml", run=False)


def test_every_block_has_one_verdict(corpus: Report) -> None:
    """All blocks of all pages are found, as often as they are seen, and no look-alike."""
    found = Counter((b.file, b.line, b.language, b.verdict) for b in corpus.blocks)
    wanted = Counter(
        (b["file"], b["line"], b["language"], b["verdict"]) for b in EXPECTED["blocks"]
    )
    assert found - wanted == Counter()
    assert wanted - found == Counter()
    assert corpus.uncovered == []


def test_seeded_errors_are_found(corpus: Report) -> None:
    """At least 99 % of the seeded errors are reported at their very line."""
    found = {(f.file, f.line) for f in corpus.findings if f.level == "error"}
    wanted = {(e["file"], e["line"]) for e in EXPECTED["errors"]}
    missed = sorted(wanted - found)
    assert len(missed) <= len(wanted) // 100, missed


def test_no_false_alarm(corpus: Report) -> None:
    """No line is reported that holds no error."""
    found = {(f.file, f.line) for f in corpus.findings if f.level == "error"}
    wanted = {(e["file"], e["line"]) for e in EXPECTED["errors"]}
    allowed = {(a["file"], a["line"]) for a in EXPECTED["allowed"]}
    assert sorted(found - wanted - allowed) == []


def test_literal_fences_say_so(corpus: Report) -> None:
    """A fence that readers see as text is reported as that, not as bad code."""
    found = {
        (f.file, f.line) for f in corpus.findings if f.rule == "fence-not-rendered"
    }
    notes = {(e["file"], e["line"]) for e in EXPECTED["errors"] if not e["language"]}
    assert notes <= found


def test_excuses_name_the_language(corpus: Report) -> None:
    """Where there is no parser, the verdict says for what."""
    excused = [b for b in corpus.blocks if b.verdict == "excused"]
    assert excused
    assert all(b.reason == f"no parser for {b.language}" for b in excused)


FENCED_CODE = """\
# Python-Markdown's own fences

```python
x = (  ⟵ python-syntax
```

~~~ { .json .wide title="x" }
{"a": }  ⟵ json-syntax
~~~

``` { .yaml hl_lines="1" }
a: 1
a: 2  ⟵ yaml-duplicate-key
```

```
no language (
```

Text right above
```python
y = = 1  ⟵ python-syntax
```

- ```python  ⟵ fence-not-rendered
  literal
  ```  ⟵ fence-not-rendered

    ```python  ⟵ fence-not-rendered
    indented code shows its graves (
    ```  ⟵ fence-not-rendered

> ```python  ⟵ fence-not-rendered
> z = (
> ```  ⟵ fence-not-rendered

<!--
```python
hidden (
```
-->

<pre><code>raw (</code></pre>

````text
```python
inside (
```
````

```rust
fn (
```

```toml
a = 1
b =  ⟵ toml-syntax
```

```python
never closed = (
"""


@pytest.mark.parametrize("highlight", [[], ["codehilite"]], ids=["plain", "codehilite"])
@pytest.mark.parametrize("theme", ["mkdocs", "readthedocs", "material", ""])
def test_fenced_code(project, theme: str, highlight: list[str]) -> None:
    """Sites without superfences: the default themes, `fenced_code`, highlighted or not."""
    text, expected = annotated(FENCED_CODE)
    last = text.split("\n").index("never closed = (")
    report = project(
        {"index.md": text},
        handbook=False,
        theme=theme,
        extensions=["fenced_code", "attr_list", *highlight],
    )
    found = [f for f in report.findings if f.line != last]
    assert "\n".join(differences(found, expected)) == ""
    assert [f.rule for f in report.findings if f.line == last] == ["fence-not-rendered"]
    assert report.uncovered == []
    verdicts = Counter((b.language, b.verdict) for b in report.blocks)
    assert verdicts == {
        ("python", "fail"): 2,
        ("json", "fail"): 1,
        ("yaml", "fail"): 1,
        ("toml", "fail"): 1,
        ("rust", "excused"): 1,
        ("text", "pass"): 1,
        ("", "pass"): 2,
    }


def test_relative_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corpus gives the same report from any working folder."""
    monkeypatch.chdir(tmp_path)
    report = check(
        Path("/", *CORPUS.parts[1:]) / "mkdocs.yml", run=False, paths=[Path("tabs.md")]
    )
    assert {b.file for b in report.blocks} == {"tabs.md"}
    assert Path.cwd() == tmp_path
