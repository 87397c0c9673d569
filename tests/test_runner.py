"""What marks and exchanges mean when blocks run, and that no block harms another.

Each page below stands for a subject. `⟵` says which rule must fire on a line, and
what its message must hold; a page must cause these findings and no other. All
pages run in one check, as those of the handbook do.
"""

from __future__ import annotations

import re
import tempfile
import threading
from pathlib import Path

import pytest
from conftest import annotated, differences, write_project
from handbook import check as check_module
from handbook.report import Report
from handbook.runner.compare import data_difference, matches
from handbook.runner.console import read_session

PAGES: dict[str, str] = {}

PAGES["output"] = """
# In comment lines

```python
print("one")
print("  two\\n\\nthree  ")
# > one
# >   two
# >
# > three
```

```python
def f() -> None:
    print("called")
    # > called


f()
```

# In a block of its own

```python
print("one")
```

```text { .output }
one
```

# Everything since the last shown output

```python
print("one")
# > one
```

```python { .continues }
print("two")
```

```python { .continues }
print("three")
```

```text { .output }
two
three
```

# In order, with warnings

```python
import warnings

print("one")
warnings.warn("careful")
warnings.warn("old", DeprecationWarning)
print("two")
# > one
# > UserWarning: careful
# > DeprecationWarning: old
# > two
```

# Output is compared

```python
print("one")
print("two")
# > one  ⟵ output: 'one\\ntwo'
```

```python
# > one  ⟵ output: printed nothing
```

```python
print("one")
```

```text { .output }
two  ⟵ output: 'one'
```

# A wildcard

```python
print("at 0x7f12, three words more")
# > at 0x..., ... more
```

```python
print("a\\nb\\nc")
# > a
# > ...
# > c
```

```python
print("one")
# > ...two  ⟵ output: 'one'
```

# Output that is not shown

```python  ⟵ unshown-output: 'one
print("one")
```

```python
print("one")
# > one
```

```python { .continues }  ⟵ unshown-output: UserWarning: x
import warnings

warnings.warn("x")
```
"""

PAGES["marks"] = """
# Names are kept by `.continues` only

```python
x = 1
```

```python { .continues }
print(x)
# > 1
```

```python
print(x)  ⟵ exception: NameError
```

# Raises

```python { .raises }
print("before")
int("x")
# > before
# > ValueError: invalid literal ...
```

```python { .raises }
class TeaError(Exception):
    pass


raise TeaError
# > TeaError
```

```python { .raises }
raise ValueError("one")
# > ValueError: two  ⟵ output: ValueError: one
```

```python { .raises }  ⟵ no-exception
print("no")
# > no
```

# Continues after it raised

```python { .raises }
x = 1
raise KeyError("x")
# > KeyError: 'x'
```

```python { .continues }
assert x == 1
```

# Does not compile

```python { .syntax-error }
return = 1
```

# Files

```python { .file title="app/names.py" }
NAME = "one"
```

```python
from app.names import NAME

print(NAME, __name__)
# > one __main__
```

```python { .file title="app/names.py" }
NAME = "two"
```

```python
from app.names import NAME

print(NAME)
# > two
```

```python { .file .continues title="app/names.py" }
OTHER = NAME + "!"
```

```python
from app.names import NAME, OTHER

print(NAME, OTHER)
# > two two!
```

```toml { title="settings.toml" }
a = 1
```

```python
import tomllib
from pathlib import Path

print(tomllib.loads(Path("settings.toml").read_text()))
# > {'a': 1}
```

# A titled block runs and can be imported

```python { title="shop.py" }
PRICE = 3
print("run")
# > run
```

```python
from shop import PRICE

print(PRICE)
# > run
# > 3
```

# Files end with their answer

```python
import app  ⟵ exception: ModuleNotFoundError
```

# Wrong, but it runs

```python { .wrong }
def f(x = []): return x
```

```python { .wrong }
print(undefined)  ⟵ exception: NameError
```

# Other versions

```python { python=">=3.99" }
raise ValueError("never run")
```

```python { python=">=3.11" }
raise ValueError("run")  ⟵ exception: run
```

```python { .no-run why="needs a star" }
raise ValueError("never run")
```

# Tests

```python
import pytest


@pytest.fixture
def one() -> int:
    print("captured")
    return 1


def test_one(one: int) -> None:
    assert one == 1


@pytest.mark.parametrize("value", [1, 2])
def test_value(value: int) -> None:
    assert value == 1  ⟵ test-failed: test_value[2]
```

```python
import pytest


@pytest.mark.anyio
async def test_async() -> None:
    assert False  ⟵ test-failed: test_async[asyncio] ⟵ test-failed: test_async[trio]


class TestGroup:
    def test_method(self) -> None:
        helper()


def helper() -> None:
    raise ValueError("deep")  ⟵ test-failed: test_method: ValueError: deep
```

# Every application makes its schema

```python
from fastapi import FastAPI

app = FastAPI()


def schema() -> dict:
    raise ValueError("no schema")  ⟵ exception: no schema


app.openapi = schema
```

# The deepest line of the page is reported

```python
def outer() -> None:
    inner()


def inner() -> None:
    int("x")  ⟵ exception: invalid literal


outer()
```

```python
import json

json.loads("{")  ⟵ exception: JSONDecodeError
```

/// check | A check is a scope of its own
    id: own

```python
print(NAME)  ⟵ exception: NameError
```
///
"""

PAGES["exchanges"] = """
# Comparing

```python
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse

app = FastAPI()
hits = 0


@app.get("/hit")
def hit() -> dict[str, int]:
    global hits
    hits += 1
    return {"hits": hits}


@app.get("/data")
def data() -> dict:
    return {"id": 7, "at": "2027-01-01", "on": True, "items": [1, {"b": None}]}


@app.get("/text")
def text() -> PlainTextResponse:
    return PlainTextResponse("one\\ntwo\\nthree")


@app.post("/token")
def token() -> dict[str, str | int]:
    return {"token": "s3cret", "n": 5}


@app.get("/me")
def me(request: Request) -> dict[str, str | None]:
    return {"auth": request.headers.get("authorization"), "n": request.query_params["n"]}


@app.get("/set")
def set_cookie(response: Response) -> dict:
    response.set_cookie("session", "1")
    response.headers.append("x-two", "b")
    return {}


@app.get("/cookies")
def cookies(request: Request) -> dict:
    return request.cookies


@app.get("/old")
def old() -> RedirectResponse:
    return RedirectResponse("/data")


@app.get("/fail")
def fail() -> dict:
    raise RuntimeError("broken")


@app.post("/echo")
async def echo(request: Request) -> dict:
    names = sorted(request.headers)
    return {"body": (await request.body()).decode(), "headers": names}


@app.get("/lines")
def lines() -> StreamingResponse:
    parts = ('{"n": 1}\\n', '{"n": 2}\\n')
    return StreamingResponse(iter(parts), media_type="application/jsonl")


async def forever():
    number = 0
    while True:
        number += 1
        yield f"data: {number}\\n"


@app.get("/forever")
def endless() -> StreamingResponse:
    return StreamingResponse(forever(), media_type="text/event-stream")
```

```http
### State is shared, in order
GET /hit HTTP/1.1

HTTP/1.1 200 OK

{"hits": 1}

### JSON is compared as data, with a wildcard
GET /data HTTP/1.1

HTTP/1.1 200 OK
Content-Type: application/json

{
  "on": true, "at": "...", "id": 7,
  "items": [1, "..."]
}

### A part of a string
GET /data HTTP/1.1

HTTP/1.1 200 OK

{"id": 7, "at": "2027-...", "on": true, "items": "..."}

### True is not 1
GET /data HTTP/1.1

HTTP/1.1 200 OK

{"id": 7, "at": "...", "on": 1, "items": "..."}  ⟵ body: body.on is true

### A missing key
GET /data HTTP/1.1

HTTP/1.1 200 OK

{"id": 7, "at": "...", "on": true}  ⟵ body: body also has 'items'

### A header with a wildcard, one of two, and none
GET /set HTTP/1.1

HTTP/1.1 200 OK
set-cookie: session=1; ...
x-two: b
x-none: a  ⟵ header: missing

### No cookie jar
GET /cookies HTTP/1.1

HTTP/1.1 200 OK

{}

### Cookies are sent if shown
GET /cookies HTTP/1.1
cookie: session=2

HTTP/1.1 200 OK

{"session": "2"}

### Redirects are not followed
GET /old HTTP/1.1

HTTP/1.1 307 Temporary Redirect
location: /data

### Sent is what is shown, plus two headers
POST /echo HTTP/1.1
X-Mine: 1

two
lines

HTTP/1.1 200 OK

{"body": "two\\nlines", "headers": ["content-length", "host", "x-mine"]}
```

```http
### Text with a wildcard
GET /text HTTP/1.1

HTTP/1.1 200 OK

one
...
three

### Other text
GET /text HTTP/1.1

HTTP/1.1 200 OK

one  ⟵ body: 'one\\ntwo\\nthree'
four

### JSON Lines
GET /lines HTTP/1.1

HTTP/1.1 200 OK

{"n": 1}
{"n": "..."}

### Too few lines
GET /lines HTTP/1.1

HTTP/1.1 200 OK

{"n": 1}  ⟵ body: 2 lines came, not 1

### The second line differs
GET /lines HTTP/1.1

HTTP/1.1 200 OK

{"n": 1}
{"n": 3}  ⟵ body: line.n is 2

### Read this far
GET /forever HTTP/1.1

HTTP/1.1 200 OK
content-type: text/event-stream; charset=utf-8

data: 1
data: 2
...

### Read this far, and find other lines
GET /forever HTTP/1.1

HTTP/1.1 200 OK

data: 1  ⟵ body: data: 2
data: 3
...
```

```http
### Remembered
POST /token HTTP/1.1

HTTP/1.1 200 OK

{"token": "{{token}}", "n": "{{ n }}"}
```

```http
### Used
GET /me?n={{n}} HTTP/1.1
Authorization: Bearer {{token}}

HTTP/1.1 200 OK

{"auth": "Bearer s3cret", "n": "5"}
```

```http
### A server error is a 500
GET /fail HTTP/1.1

HTTP/1.1 500 Internal Server Error

Internal Server Error
```

```text { .output }
RuntimeError: broken
```

# A server error that is not shown

```python
from fastapi import FastAPI

app = FastAPI()


@app.get("/fail")
def fail() -> dict:
    raise RuntimeError("broken")
```

```http  ⟵ unshown-output: RuntimeError: broken
GET /fail HTTP/1.1

HTTP/1.1 500 Internal Server Error
```

# The lifespan runs once

```python
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    print("start")
    yield {"name": "state"}
    print("stop")


app = FastAPI(lifespan=lifespan)


@app.get("/")
def read(request: Request) -> str:
    return request.state.name
```

```http
GET / HTTP/1.1

HTTP/1.1 200 OK

"state"
```

```http
GET / HTTP/1.1

HTTP/1.1 200 OK

"state"
```

```text { .output }
start
stop
```

# The end of the lifespan is output too

```python
from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def lifespan(app: FastAPI):
    yield
    raise ValueError("cannot stop")


app = FastAPI(lifespan=lifespan)
```

```http  ⟵ unshown-output: ValueError: cannot stop
GET / HTTP/1.1

HTTP/1.1 404 Not Found
```

# Which application

```python { #one }
from fastapi import FastAPI

app = FastAPI(openapi_url="/one.json")
```

```python { #two }
from fastapi import FastAPI

app = FastAPI(openapi_url="/two.json")
```

```http
### The nearest above
GET /two.json HTTP/1.1

HTTP/1.1 200 OK
```

```http { app="one" }
### The one that is named
GET /one.json HTTP/1.1

HTTP/1.1 200 OK

### And not the other
GET /two.json HTTP/1.1

HTTP/1.1 404 Not Found
```

```http { app="three" }  ⟵ no-app: `#three`
GET / HTTP/1.1

HTTP/1.1 404 Not Found
```

/// check | What comes back?
    id: lone

```python
from fastapi import FastAPI

app = FastAPI()
```

```http
GET / HTTP/1.1
```

- [x] 404

```http
HTTP/1.1 404 Not Found

{"detail": "Not Found"}
```
///

/// check | What comes back here?
    id: lone-wrong

```python
from fastapi import FastAPI

app = FastAPI()
```

```http
GET / HTTP/1.1
```

- [x] 200

```http
HTTP/1.1 200 OK  ⟵ status: 404
```
///
"""

PAGES["console"] = """
# Commands

```console
$ echo "one  two"
one  two
$ for i in 1 2; do
>   echo "$i"
> done
1
2
$ python -c "print('out'); raise SystemExit(3)"; echo "status $?"
out
status 3
$ printf 'a\\nb\\n'
...
b
$ true
```

```console
$ echo one  ⟵ console: 'one
two
$ echo silent?  ⟵ console: 'silent?
```

# Exports and folders hold

```console
$ export NAME=value
$ mkdir sub && cd sub
```

```console
$ echo "$NAME"; basename "$PWD"
value
sub
```

# And end with the answer

```console
$ echo "[$NAME]"
[]
```

# A server

```python { .file title="main.py" }
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def read() -> str:
    return "first"
```

```console
$ uvicorn main:app --port 8123
```

```console
$ curl -s localhost:8123
"first"
```

```python { .file title="main.py" }
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def read() -> str:
    return "second"
```

```console
$ uvicorn main:app --port=8123
INFO: ... Uvicorn running on http://127.0.0.1:8123 (Press CTRL+C to quit)
```

```console
$ curl -s localhost:8123
"second"
```

# The same port in another answer

```python { .file title="main.py" }
from fastapi import FastAPI

app = FastAPI()
```

```console
$ curl -s localhost:8123; echo $?
7
$ uvicorn main:app --port 8123
$ curl -s localhost:8123
{"detail":"Not Found"}
```

# A server that does not start

```console
$ uvicorn absent:app
ERROR:    Error loading ASGI app. Could not import module "absent".
```

```console
$ uvicorn absent:app  ⟵ console: Could not import
```
"""

TABLES = """
```python
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)


engine = create_engine("sqlite:///shop.db")
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add(Item())
    session.commit()
    print(len(session.scalars(select(Item)).all()))
    # > 1
```

```python
import logging
import os
import sys
import warnings
from pathlib import Path

print(os.environ.get("MARK"), "marker" in sys.modules, Path("mark").exists())
# > None False False
os.environ["MARK"] = "1"
sys.modules["marker"] = sys
Path("mark").touch()
logging.basicConfig(level=0)
warnings.simplefilter("error")
print(Path.home() == Path.cwd())
# > True
```
"""
PAGES["isolation"] = f"\n# One\n{TABLES}\n# Two\n{TABLES}\n# Three\n{TABLES}"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on all pages."""
    texts = {f"{name}.md": annotated(text)[0] for name, text in PAGES.items()}
    config = write_project(tmp_path_factory.mktemp("runner"), texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check_module, "lint", lambda _: [])
        return check_module.check(config)


@pytest.mark.parametrize("name", PAGES)
def test_page(ran: Report, name: str) -> None:
    """The page causes the findings that it announces, at their lines, and no other."""
    text, expected = annotated(PAGES[name])
    found = [
        f
        for f in ran.findings
        if f.file == f"{name}.md" and not f.rule.startswith("check-")
    ]
    assert "\n".join(differences(found, expected)) == ""


@pytest.mark.parametrize("name", PAGES)
def test_verdicts(ran: Report, name: str) -> None:
    """A block fails where it holds a finding; others pass, or say why they did not run."""
    text, expected = annotated(PAGES[name])
    lines = text.split("\n")
    starts = [b.line for b in ran.blocks if b.file == f"{name}.md"]
    failing = {max(s for s in starts if s <= line) for line, _, _ in expected}
    for block in ran.blocks:
        if block.file == f"{name}.md":
            header = lines[block.line - 1]
            excuse = re.search(r"no-run|3\.99", header)
            want = "excused" if excuse else "fail" if block.line in failing else "pass"
            assert (block.line, block.verdict) == (block.line, want), block
            assert bool(block.reason) == (want != "pass")



# What each block does must fail there (`⟵` says how, or on the fence by default),
# and must not touch OUTSIDE or HOME.
HARM = {
    "regex": "⟵ timeout\nimport re\n\nre.match(r'(a+)+$', 'a' * 40 + 'b')",
    "exit": "⟵ exit\nimport os\n\nos._exit(0)",
    "sys-exit": "import sys\n\nsys.exit(0)  ⟵ exception: exit status 0",
    "kill-itself": "⟵ exit\nimport os\n\nos.kill(os.getpid(), 9)",
    "kill-driver": "⟵ timeout: its own driver\nimport os\n\nos.kill(os.getppid(), 9)",
    "segfault": "⟵ exit\nimport ctypes\n\nctypes.string_at(0)",
    "flood": "for _ in range(100):\n    print('x' * 1_000_000)  ⟵ exception: too large",
    "big-file": "with open('big', 'wb') as file:\n    for _ in range(100):\n        file.write(bytes(10**6))  ⟵ exception: too large",
    "memory": "bytearray(5 * 1024**3)  ⟵ exception: MemoryError",
    "recursion": "def f() -> None:\n    f()  ⟵ exception: RecursionError\n\n\nf()",
    "fork-bomb": "⟵ left-running\nimport os\nimport time\n\nwhile True:\n    if not os.fork():  ⟵ exception: 100 processes\n        time.sleep(4321)",
    "connect": "import socket\n\nsocket.create_connection(('8.8.8.8', 53), 1)  ⟵ exception",
    "resolve": "import socket\n\nsocket.getaddrinfo('example.com', 80)  ⟵ exception",
    "curl": "import subprocess\n\nsubprocess.run(['curl', '-s', '8.8.8.8'], check=True)  ⟵ exception",
    "write": "open('OUTSIDE/written', 'w')  ⟵ exception",
    "write-path": "from pathlib import Path\n\nPath('OUTSIDE/written').touch()  ⟵ exception",
    "write-sqlite": "import sqlite3\n\nsqlite3.connect('OUTSIDE/written').execute('create table t (a)')  ⟵ exception",
    "write-shell": "import subprocess\n\nsubprocess.run(['touch', 'OUTSIDE/written'], check=True)  ⟵ exception",
    "write-home": "import subprocess\n\nsubprocess.run('echo > HOME/.written-by-test', shell=True, check=True)  ⟵ exception",
    "delete": "import os\n\nos.remove('OUTSIDE/precious')  ⟵ exception",
    "delete-shell": "import subprocess\n\nsubprocess.run(['rm', 'OUTSIDE/precious'], check=True)  ⟵ exception",
    "rename": "import os\n\nos.rename('OUTSIDE/precious', 'OUTSIDE/moved')  ⟵ exception",
    "process": "⟵ left-running\nimport subprocess\n\nsubprocess.Popen(['sleep', '4321'])",
    "daemon": "⟵ left-running\nimport subprocess\n\nsubprocess.Popen(['sleep', '4321'], start_new_session=True)",
    "thread": "⟵ timeout: after its last line\nimport threading\nimport time\n\nthreading.Thread(target=time.sleep, args=[4321]).start()",
}
HARM_PAGE = """# Harm

```python NOTE
CODE
```

# Bystander

```python
print("fine")
# > fine
```
"""
HARM_CONSOLE = """# Loops

```console
$ while :; do :; done  ⟵ timeout
$ echo never
```

```console
$ echo gone  ⟵ console: the shell ended
```

# Ends its shell

```console
$ exit 1  ⟵ console: the shell ended
```

# Reaches out

```console
$ curl -s 8.8.8.8 || echo refused
refused
$ { echo x > OUTSIDE/written; } 2>/dev/null || echo refused
refused
$ rm -f OUTSIDE/precious 2>/dev/null || echo refused
refused
$ sleep 4321 &
```

# A server that accepts nothing

```console
$ uvicorn --port 1 --help > /dev/null; sleep 4321  ⟵ timeout: nothing on port 1
```

# An exchange without an answer

```python
import asyncio
import time

from fastapi import FastAPI

app = FastAPI()


@app.get("/slow")
async def slow() -> None:
    await asyncio.sleep(4321)


@app.get("/blocked")
async def blocked() -> None:
    time.sleep(4321)
```

```http
GET /slow HTTP/1.1

HTTP/1.1 200 OK  ⟵ timeout: no complete response
```

```http  ⟵ timeout: it did not end
GET /blocked HTTP/1.1

HTTP/1.1 200 OK
```

# Bystander

```console
$ echo fine
fine
```
"""


def sleepers() -> list[int]:
    """Return the processes that a harmful block has left."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"4321" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A harmful block fails alone, and leaves no process, thread or file behind."""
    outside, temporary = tmp_path / "outside", tmp_path / "tmp"
    outside.mkdir()
    temporary.mkdir()
    (outside / "precious").write_text("kept")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(check_module, "lint", lambda _: [])
    sources = {"console": HARM_CONSOLE}
    for name, code in HARM.items():
        note, code = ("", code) if code[0] != "⟵" else code.split("\n", 1)
        sources[name] = HARM_PAGE.replace("NOTE", note).replace("CODE", code)
    texts, expected = {}, {}
    for name, source in sources.items():
        source = source.replace("OUTSIDE", str(outside)).replace("HOME", str(Path.home()))
        texts[f"{name}.md"], expected[name] = annotated(source)
    config = write_project(tmp_path, texts)
    at_home = Path.home() / ".written-by-test"
    at_home.unlink(missing_ok=True)  # left by a run that failed here
    threads = threading.active_count()
    report = check_module.check(config, seconds=6)
    wrong = [
        f"{name}: {text}"
        for name, notes in expected.items()
        for text in differences([f for f in report.findings if f.file == f"{name}.md"], notes)
    ]
    assert "\n".join(wrong) == ""
    last = {b.file: b.verdict for b in report.blocks}  # the bystanders
    assert set(last.values()) == {"pass"}
    assert [p.name for p in outside.iterdir()] == ["precious"]
    assert list(temporary.iterdir()) == []
    assert not at_home.exists()
    assert sleepers() == []
    assert threading.active_count() == threads


def test_matches() -> None:
    """`...` is any run of characters; spaces at the ends of lines do not count."""
    assert matches("a...c", "abc") and matches("a...c", "ac") and matches("...", "")
    assert matches("a  \nb", "a\nb \n") and matches("(.*)", "(.*)")
    assert not matches("a...c", "abcd") and not matches("a", "a b") and not matches("", "a")
    captured: dict[str, str] = {}
    assert matches("id={{ id }};", "id=7;", captured) and captured == {"id": "7"}


@pytest.mark.parametrize(
    ("shown", "seen", "difference"),
    [
        ({"a": 1}, {"a": 1}, ""),
        ({"a": "..."}, {"a": {"b": [1]}}, ""),
        ({"a": "x..."}, {"a": "xyz"}, ""),
        ({"a": "x..."}, {"a": "yz"}, 'body.a is "yz"'),
        (1, True, "body is true"),
        (1, 1.0, "body is 1.0"),
        (None, False, "body is false"),
        ([1], [1, 2], "body has 2 items, not 1"),
        ({}, {"a": 1}, "body also has 'a'"),
        ({"a": 1}, {}, "body has no 'a'"),
        ([{"a": [0]}], [{"a": [1]}], "body[0].a[0] is 1"),
    ],
)
def test_data_difference(shown: object, seen: object, difference: str) -> None:
    """JSON is compared as data, types included; the difference is named."""
    assert data_difference(shown, seen, {}) == difference


def test_read_session() -> None:
    """`$ ` starts a command, `> ` continues it, all else is its output."""
    commands = read_session("$ a\n> b\nout\n> quoted\n$ c\n$")
    assert [(c.text, c.line, c.shown) for c in commands] == [
        ("a\nb", 1, "out\n> quoted"),
        ("c", 5, ""),
        ("", 6, ""),
    ]
