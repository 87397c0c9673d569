"""``/// check``: a self-check as complete HTML that needs no JavaScript."""

from __future__ import annotations

import hashlib
import random
import re
import xml.etree.ElementTree as etree

from markdown import util
from pymdownx.blocks.block import Block, type_string

from .trace import Trace

_OPTION = re.compile(r"^\[([ xX])\]\s+(.*)$", re.S)


class CheckBlock(Block):
    """Turns its task list into options, and what follows into the answer."""

    NAME = "check"
    ARGUMENT = True
    OPTIONS = {"id": ["", type_string]}

    def on_create(self, parent: etree.Element) -> etree.Element:
        """Make the folded block, its question as the summary."""
        name = self.options["id"]
        block = etree.SubElement(
            parent, "details", {"class": "check", "data-check": name}
        )
        summary = etree.SubElement(block, "summary")
        label = etree.SubElement(summary, "span", {"class": "check__label"})
        label.text, label.tail = "Self-check", " "
        # No slug holds two hyphens, so that these ids meet no other.
        question = etree.SubElement(
            summary, "span", {"class": "check__question", "id": f"{name}--question"}
        )
        question.text = self.argument
        # The id stands inside, so that a link to it opens the block.
        etree.SubElement(block, "div", {"class": "check__body", "id": name})
        return block

    def on_add(self, block: etree.Element) -> etree.Element:
        """Put the content below the summary."""
        return block[1]

    def on_end(self, block: etree.Element) -> None:
        """Split the content into stem, options and explanation."""
        body = block[1]
        content = list(body)
        position = next(
            (i for i, el in enumerate(content) if _is_options(el)), len(content)
        )
        if position == len(content):
            return  # reported by the rules of the format
        for element in content:
            body.remove(element)
        name = self.options["id"]
        if content[:position]:
            stem = etree.SubElement(
                body, "div", {"class": "check__stem", "id": f"{name}--stem"}
            )
            stem.extend(content[:position])
        options = [_read(item) for item in content[position]]
        # The same order in every build, unrelated to the order in the source.
        random.Random(name).shuffle(options)
        several = sum(right for right, _, _ in options) > 1
        body.append(_ask(name, options, several, bool(content[:position])))
        # Assistive technology reads out what changes in a region that it knows.
        etree.SubElement(body, "p", {"class": "check__status", "role": "status"})
        answer = etree.SubElement(body, "details", {"class": "check__answer"})
        etree.SubElement(answer, "summary").text = "Show the answer"
        answer.append(_verdicts(options))
        explanation = etree.SubElement(answer, "div", {"class": "check__explanation"})
        explanation.extend(content[position + 1 :])
        trace = getattr(self.md, "trace", None)
        revision = revise(
            trace,
            [self.argument or ""],
            content[:position],
            sorted(f"{text} {right}" for right, text, _ in options),
        )
        block.set("data-rev", revision)
        if trace is not None:
            trace.revisions[name] = revision


def revise(
    trace: Trace | None, asked: list[str], stem: list[etree.Element], answers: list[str]
) -> str:
    """Hash what is asked; code counts as its source, not as its markup."""
    sources = {f.placeholder: f.source for f in trace.fences} if trace else {}
    parts = list(asked)
    for element in stem:
        text = "".join(element.itertext())
        for placeholder, source in sources.items():
            text = text.replace(placeholder, source)
        parts.append(text)
    return _hash("\n".join(parts + answers))


def _is_options(element: etree.Element) -> bool:
    return (
        element.tag == "ul" and len(element) > 0 and _first_text(element[0]) is not None
    )


def _first_text(item: etree.Element) -> re.Match[str] | None:
    text = item.text if (item.text or "").strip() else None
    if text is None and len(item) and item[0].tag == "p":
        text = item[0].text
    return _OPTION.match((text or "").strip())


def _read(item: etree.Element) -> tuple[bool, str, list[etree.Element]]:
    """Return whether the option is right, its text, and its reason's elements."""
    match = _first_text(item)
    if match is None:
        return False, (item.text or "").strip(), []
    why = [child for child in item if child.tag == "blockquote"]
    return match[1] != " ", match[2].strip(), list(why[0]) if why else []


def _ask(
    name: str, options: list[tuple[bool, str, list]], several: bool, stem: bool
) -> etree.Element:
    fields = etree.Element(
        "fieldset",
        {
            "class": "check__options",
            "aria-labelledby": f"{name}--question {name}--choose",
            "data-search-exclude": "",
        },
    )
    if stem:
        fields.set("aria-describedby", f"{name}--stem")
    legend = etree.SubElement(fields, "legend", {"id": f"{name}--choose"})
    legend.text = "Choose all that apply" if several else "Choose one"
    for _, text, _ in options:
        label = etree.SubElement(fields, "label", {"class": "check__option"})
        etree.SubElement(
            label,
            "input",
            {
                "type": "checkbox" if several else "radio",
                "name": f"check-{name}",
                "value": _hash(text),
            },
        ).tail = " "
        etree.SubElement(label, "span", {"class": "check__text"}).text = text
    return fields


def _verdicts(options: list[tuple[bool, str, list]]) -> etree.Element:
    verdicts = etree.Element("ul", {"class": "check__verdicts"})
    for right, text, why in options:
        kind = "right" if right else "wrong"
        item = etree.SubElement(
            verdicts,
            "li",
            {
                "class": f"check__verdict check__verdict--{kind}",
                "data-option": _hash(text),
            },
        )
        if not right:
            item.set("data-search-exclude", "")
        line = etree.SubElement(item, "p")
        mark = etree.SubElement(line, "span", {"class": "check__mark"})
        mark.text = util.AtomicString(kind.capitalize())
        mark.tail = " "
        etree.SubElement(line, "span", {"class": "check__text"}).text = text
        etree.SubElement(item, "div", {"class": "check__why"}).extend(why)
    return verdicts


def _hash(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:10]
