"""Every rule of the page format fires on its mistake, at its line, and only there.

One correct page is the twin of all mistakes: each case replaces one text of it and
says which rules must fire on which lines, and that no other does. The last test
holds the rules seen here against the rules that stand in the source.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LINT, ROOT, annotated, differences, write_project
from handbook import check as check_module
from handbook import ids
from handbook.report import Report
from handbook.runner.plan import Runner

# `NN` becomes the number of the case, so that ids stay unique in the project.
GOOD = """\
---
title: "Twin"
description: "A page without a mistake: it is quoted."
---

# Twin

Some words.

## What does `GET /` answer? { #first-NN .junior }

/// details | Answer
    type: question

A greeting.

```python
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def read_root() -> dict[str, int]:
    print("asked")
    return {"a": 1}
```

```http
GET / HTTP/1.1

HTTP/1.1 200 OK
content-type: application/json

{"a": 1}
```

```text { .output }
asked
```

/// warning | Often answered wrong
No.
///

///

## And then? { #second-NN .mid }

/// details | Answer
    type: question

```python { .file title="names.py" }
NAME = "x"
```

```python
from names import NAME

print(NAME)
# > x
```

```python { .continues .raises }
raise ValueError(NAME)
# > ValueError: x
```

```python { .syntax-error }
x = = 1
```

```python { .no-run why="needs a star" }
print(2)
```

```python

def test_sum() -> None:
    assert 1 + 1 == 2
```

```console
$ echo one
one
```

///

/// check | What is it?
    id: check-NN

```python
print(1)
```

- [ ] One
  > Why one.
- [x] Two
  > Why two.
- [ ] Three
  > Why three.

It is two.
///
"""

FRONT = GOOD[: GOOD.index("# Twin")]
CHECK = "/// check | What is it?"
QUESTION = "## What does"
ANSWER = "/// details | Answer"
OPTION = "- [ ] One\n  > Why one.\n"

# What must fire, as {rule: text of its line}; a text of GOOD; what replaces it.
FORMAT = [
    # Front matter
    ({"front-matter": "# Twin"}, FRONT, ""),
    ({"front-matter": "---"}, '."\n---', '."'),
    ({"front-matter": "description: a: b"}, '"A page without a mistake: it is quoted."', "a: b"),
    ({"front-matter": "---"}, 'title: "Twin"\n', ""),
    ({"front-matter": "---"}, '"A page without a mistake: it is quoted."', '""'),
    # Headings and questions
    ({"page-title": "Twin"}, "# Twin\n", "Twin\n"),
    ({"question-id": QUESTION}, "#first-NN ", ""),
    ({"malformed-id": QUESTION}, "#first-NN", "#first_NN"),
    ({"question-level": QUESTION}, " .junior }", " }"),
    ({"question-level": QUESTION}, ".junior", ".junior .mid"),
    ({"duplicate-id": "## And then"}, "#second-NN", "#first-NN"),
    ({"duplicate-id": CHECK}, "id: check-NN", "id: first-NN"),
    ({"question-answer": QUESTION}, "    type: question\n", ""),
    ({"question-answer": "## And then"}, "NAME = \"x\"\n```", "NAME = \"x\"\n```\n\n///\n\n/// details | Answer\n    type: question\n"),
    ({"before-answer": "Prose."}, ".junior }\n", ".junior }\n\nProse.\n"),
    ({"heading-in-answer": "### Heading"}, "A greeting.", "### Heading"),
    # Blocks
    ({"unknown-block": "/// danger", "block-not-rendered": "/// danger"}, "/// warning |", "/// danger |"),
    ({"unclosed-block": ANSWER}, "No.\n///\n", "No.\n"),
    ({"unknown-key": ANSWER, "block-not-rendered": ANSWER}, "    type: question\n", "    type: question\n    colour: red\n"),
    ({"unknown-key": CHECK, "block-not-rendered": CHECK}, "    id: check-NN\n", "    id: check-NN\n    level: mid\n"),
    ({"block-not-rendered": "/////"}, "A greeting.", "/////"),
    ({"old-admonition": "!!! note"}, "A greeting.", "!!! note"),
    ({"old-admonition": "??? note"}, "A greeting.", "??? note"),
    ({"no-tabs": "=== "}, "A greeting.", '=== "Tab"'),
    ({"task-list": "- [x] Done"}, "A greeting.", "- [x] Done"),
    # Self-checks
    ({"check-id": CHECK}, "    id: check-NN\n", ""),
    ({"malformed-id": CHECK}, "id: check-NN", "id: Check-NN"),
    ({"check-question": "/// check"}, CHECK, "/// check"),
    ({"check-options": CHECK}, OPTION, ""),
    ({"check-options": CHECK}, OPTION, "".join(OPTION.replace("One", n) for n in "ABCD")),
    ({"check-answer": CHECK}, "- [x] Two", "- [ ] Two"),
    ({"check-answer": CHECK}, "- [ ] Three\n", "- [x] Three\n"),
    ({"check-duplicate": "- [ ] two"}, "- [ ] Three", "- [ ] two"),
    ({"check-why": "- [x] Two"}, "  > Why two.\n", ""),
    ({"check-explanation": CHECK}, "\nIt is two.\n", ""),
    # Fences
    ({"fence-column": "    ```text"}, "A greeting.", "1. A list\n\n    ```text\n    x\n    ```\n\nEnd."),
    ({"fence-not-rendered": "- ```python"}, "A greeting.", "- ```python\n  x = 1\n"),
    ({"fence-not-rendered": "~~~python"}, "A greeting.", "~~~python\nx = 1"),
    ({"fence-language": "```\nnameless"}, "A greeting.", "```\nnameless\n```"),
    ({"unknown-language": "```rust"}, "A greeting.", "```rust\nfn\n```"),
    ({"unknown-mark": "```python { .wrnog }"}, "A greeting.", "```python { .wrnog }\n```"),
    ({"unknown-mark": "```text { tilte="}, "A greeting.", '```text { tilte="x" }\n```'),
    ({"misplaced-mark": "```json { .raises }"}, "A greeting.", "```json { .raises }\n1\n```"),
    ({"misplaced-mark": "```text { app="}, "A greeting.", '```text { app="x" }\n```'),
    ({"misplaced-mark": "```text { why="}, "A greeting.", '```text { why="x" }\n```'),
    ({"misplaced-mark": "```python { .raises .syntax-error"}, "A greeting.", "```python { .raises .syntax-error }\n1 1\n```"),
    ({"no-run-why": "```text { .no-run }"}, "A greeting.", "```text { .no-run }\n```"),
    ({"file-title": "```python { .file }"}, "A greeting.", "```python { .file }\n```"),
    ({"file-not-used": "```python { .file title=\"b.py"}, "\n/// warning", '\n```python { .file title="b.py" }\n```\n\n/// warning'),
    ({"block-length": "```python\nx = 1"}, "A greeting.", "```python\n" + "x = 1\n" * 41 + "```"),
    ({"block-length": "```python\nx = 1"}, "print(1)\n", "x = 1\n" * 21),
    ({"answer-length": "```python\ny = 1"}, "A greeting.", ("```python\n" + "x = 1\n" * 40 + "```\n\n") * 2 + "```python\ny = 1\n```"),
    ({"http-syntax": "no header"}, "GET / HTTP/1.1\n", "GET / HTTP/1.1\nno header\n"),
]
# The same, for what shows only when the blocks run.
RUN = [
    ({"exception": "raise ValueError(1)"}, "print(NAME)\n# > x", "raise ValueError(1)"),
    ({"exception": "# x"}, "print(NAME)\n# > x", "import sys\nsys.exit()  # x"),
    ({"no-exception": "```python { .continues .raises }"}, "raise ValueError(NAME)\n# > ValueError: x", "x = 1"),
    ({"compiles": "```python { .syntax-error }"}, "x = = 1", "x = 1"),
    ({"output": "# > y"}, "# > x", "# > y"),
    ({"output": "asked\n"}, "print(\"asked\")", "print(\"told\")"),
    ({"unshown-output": "```python\nfrom names"}, "# > x\n```\n\n```python { .continues .raises }\nraise ValueError(NAME)\n# > ValueError: x", ""),
    ({"continues": "```python { .continues }"}, "A greeting.", "```python { .continues }\nx = 1\n```"),
    ({"no-app": "```http"}, "app = FastAPI()", "api = app = FastAPI()\ndel app\napp = api = api"),
    ({"test-failed": "    assert 1 + 1 == 3"}, "1 + 1 == 2", "1 + 1 == 3"),
    ({"status": "HTTP/1.1 404"}, "HTTP/1.1 200", "HTTP/1.1 404"),
    ({"header": "content-type: text/plain"}, "content-type: application/json", "content-type: text/plain"),
    ({"body": '{"a": 2}'}, '{"a": 1}\n```', '{"a": 2}\n```'),
    ({"json-syntax": "{a"}, '{"a": 1}\n```', "{a\n```"),
    ({"console": "$ echo one"}, "$ echo one\none", "$ echo one\ntwo"),
    ({"exit": "```python\nimport os"}, "print(NAME)\n# > x\n```\n\n```python { .continues .raises }\nraise ValueError(NAME)\n# > ValueError: x", "import os\nos._exit(3)"),
]
