"""SQL, in whichever of the common dialects accepts it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType

from .base import Fault, each, offset_of, one_line, position, words

_DIALECTS = (None, "postgres", "sqlite", "mysql")
_SYNTAX = "sql-syntax"

# sqlglot warns on its log about each statement that it keeps as mere text.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())

# sqlglot reads `SELEC * FORM x` as a product with an alias, and takes some unknown
# statements for commands, so what a statement starts with is checked as well.
_HEADS = words(
    """
    ALTER ANALYZE ATTACH BEGIN CALL CHECKPOINT CLOSE CLUSTER COMMENT COMMIT COPY
    CREATE DEALLOCATE DECLARE DELETE DESC DESCRIBE DETACH DISCARD DO DROP END EXECUTE
    EXPLAIN FETCH FLUSH GRANT INSERT KILL LISTEN LOAD LOCK MERGE MOVE NOTIFY OPTIMIZE
    PRAGMA PREPARE REASSIGN REFRESH REINDEX RELEASE RENAME REPLACE RESET REVOKE
    ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW START TABLE TRUNCATE UNLISTEN UNLOCK
    UPDATE USE VACUUM VALUES WITH (
    """
)
_OBJECTS = words(
    """
    ACCESS AGGREGATE CAST COLLATION CONSTRAINT CONVERSION DATABASE DEFAULT DEFINER
    DOMAIN EVENT EXTENSION FOREIGN FULLTEXT FUNCTION GLOBAL GROUP IF INDEX LANGUAGE
    LARGE LOCAL MATERIALIZED OPERATOR OR OWNED POLICY PROCEDURAL PROCEDURE PUBLICATION
    RECURSIVE ROLE ROUTINE RULE SCHEMA SEQUENCE SERVER SPATIAL STATISTICS SUBSCRIPTION
    SYSTEM TABLE TABLESPACE TEMP TEMPORARY TEXT TRANSFORM TRIGGER TRUSTED TYPE UNIQUE
    UNLOGGED USER VIEW VIRTUAL
    """
)
# `EXPLAIN` is blanked out, for the statement after it to be parsed.
_EXPLAIN = re.compile(
    r"(?:^|(?<=;))(?:\s|--[^\n]*\n)*(EXPLAIN(?:\s+ANALYZE|\s+VERBOSE|\s+QUERY\s+PLAN|"
    r"\s*\((?:\s*[A-Z]+(?:\s+\w+)?\s*,?)+\))*)\s+(?=[A-Z(])",
    re.I,
)
# A comma before one of these has nothing after it, which sqlglot lets pass.
_AFTER_COMMA = frozenset(
    {
        TokenType.COMMA,
        TokenType.R_PAREN,
        TokenType.SEMICOLON,
        TokenType.FROM,
        TokenType.WHERE,
        TokenType.ORDER_BY,
        TokenType.GROUP_BY,
    }
)


def _parse_sql(source: str) -> list[Fault]:
    """Report the dialect that got furthest, and only if all of them fail."""
    text = _EXPLAIN.sub(_blank, source)
    best: list[Fault] = []
    for dialect in _DIALECTS:
        faults = _parse_dialect(text, dialect)
        if not faults:
            return []
        if not best or _place(faults[0]) > _place(best[0]):
            best = faults
    return best


def _place(fault: Fault) -> tuple[int, int]:
    return fault.line, fault.column


def _blank(match: re.Match[str]) -> str:
    start, end = match.start(1) - match.start(), match.end(1) - match.start()
    return match[0][:start] + " " * (end - start) + match[0][end:]


def _parse_dialect(source: str, dialect: str | None) -> list[Fault]:
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        tokens = sqlglot.tokenize(source, read=dialect)
        faults = [
            _fault(source, token.start, message) for token, message in _oddities(tokens)
        ]
        # A bad head makes the parser's own message misleading.
        return faults or _parser_faults(source, dialect)
    except TokenError as error:
        return [_token_error(source, error)]
    finally:
        logger.setLevel(level)


def _parser_faults(source: str, dialect: str | None) -> list[Fault]:
    try:
        trees = sqlglot.parse(source, read=dialect)
    except ParseError as error:
        faults = [
            _error(source, detail) for detail in error.errors if detail.get("line")
        ]
        return faults or [Fault(1, 1, one_line(error), _SYNTAX)]
    for tree in trees:
        # The heads are known by now, but `(a + b)` starts like a query.
        if isinstance(tree, exp.Paren):
            offset = source.find("(")
            return [_fault(source, offset, "an expression is no statement")]
    return []


def _error(source: str, detail: dict) -> Fault:
    # sqlglot's column is where the token ends.
    end = offset_of(source, detail["line"], detail["col"])
    text = detail.get("highlight") or ""
    offset = end - len(text) + 1
    if not source.startswith(text, max(offset, 0)):
        offset = end
    message = re.sub(r" but got <Token.*", "", detail["description"], flags=re.S)
    message = re.sub(r" for <class '[\w.]*\.(\w+)'>", r" in \1", message)
    return _fault(source, max(offset, 0), one_line(message))


def _fault(source: str, offset: int, message: str) -> Fault:
    return Fault(*position(source, offset), message, _SYNTAX)


def _oddities(tokens: list[Token]) -> Iterator[tuple[Token, str]]:
    """Statements that start with no statement's word, and commas before nothing."""
    head = True
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.token_type == TokenType.COMMA and (
            following is None or following.token_type in _AFTER_COMMA
        ):
            yield token, "nothing follows the comma"
        if token.token_type == TokenType.SEMICOLON:
            head = True
            continue
        if head:
            word = token.text.upper().split()[0] if token.text.split() else ""
            quoted = token.token_type in (TokenType.STRING, TokenType.IDENTIFIER)
            if word not in _HEADS or quoted:
                yield token, f"no statement starts with `{token.text}`"
            elif word in ("CREATE", "DROP") and (
                following is None
                or following.text.upper().split()[:1] == []
                or following.text.upper().split()[0] not in _OBJECTS
            ):
                name = following.text if following else ""
                yield following or token, f"{word} does not know `{name}`"
        head = False


# What may hide a quote or a comment mark, and then an opening that is never closed.
_QUOTED = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|''|\\.)*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|"
    r"(\$\w*\$).*?\1|(?P<open>/\*|'|\"|`|\$[A-Za-z_]*\$)",
    re.S,
)


def _token_error(source: str, error: TokenError) -> Fault:
    """The tokenizer says no place; it fails on what is never closed."""
    for match in _QUOTED.finditer(source):
        if match["open"]:
            return _fault(source, match.start(), f"`{match['open']}` is never closed")
    return Fault(1, 1, one_line(error), _SYNTAX)


PARSERS = {"sql": each("sql", _parse_sql)}
