"""What marks and exchanges mean when blocks run, and that no block harms another.

Each page below stands for a subject. `⟵` says which rule must fire on a line, and
what its message must hold; a page must cause these findings and no other. All
pages run in one check, as those of the handbook do.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
import threading
import time
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


# Each block does harm; what a block after it in the same answer says is part of it.
HARM = {
    "loop": "while True:  ⟵ timeout\n    pass",
    "regex": "import re  ⟵ timeout\n\nre.match(r'(a+)+$', 'a' * 40 + 'b')",
    "exit": "import os\n\nos._exit(0)",
    "sys-exit": "import sys\n\nsys.exit(0)  ⟵ exception: exit status 0",
    "kill-itself": "import os\n\nos.kill(os.getpid(), 9)",
    "kill-driver": "import os\n\nos.kill(os.getppid(), 9)",
    "segfault": "import ctypes\n\nctypes.string_at(0)",
    "flood": "for _ in range(100):\n    print('x' * 1_000_000)",
    "big-file": "with open('big', 'wb') as file:\n    for _ in range(100):\n        file.write(bytes(10**6))",
    "memory": "blocks = []\nwhile True:\n    blocks.append(bytearray(10**9))",
    "recursion": "def f() -> None:\n    f()\n\n\nf()",
    "fork-bomb": "import os\n\nwhile True:\n    os.fork()",
    "fork": "import os\n\nif os.fork() == 0:\n    raise ValueError\nos.wait()",
    "connect": "import socket\n\nsocket.create_connection(('8.8.8.8', 53), 1)",
    "resolve": "import socket\n\nsocket.getaddrinfo('example.com', 80)",
    "curl": "import subprocess\n\nsubprocess.run(['curl', '-s', '8.8.8.8'], check=True)",
    "write": "open('OUTSIDE/written', 'w')",
    "write-path": "from pathlib import Path\n\nPath('OUTSIDE/written').touch()",
    "write-sqlite": "import sqlite3\n\nsqlite3.connect('OUTSIDE/written').execute('create table t (a)')",
    "write-shell": "import subprocess\n\nsubprocess.run(['touch', 'OUTSIDE/written'], check=True)",
    "write-home": "import subprocess\n\nsubprocess.run('echo > HOME/.written-by-test', shell=True, check=True)",
    "delete": "import os\n\nos.remove('OUTSIDE/precious')",
    "delete-shell": "import subprocess\n\nsubprocess.run(['rm', 'OUTSIDE/precious'], check=True)",
    "rename": "import os\n\nos.rename('OUTSIDE/precious', 'OUTSIDE/moved')",
    "process": "import subprocess\n\nsubprocess.Popen(['sleep', '4321'])",
    "daemon": "import subprocess\n\nsubprocess.Popen(['sleep', '4321'], start_new_session=True)",
    "thread": "import threading\nimport time\n\nthreading.Thread(target=time.sleep, args=[4321]).start()",
}
