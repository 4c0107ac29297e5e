"""Source code: a section per definition, named by its path; what documents it is prose.

Syntax trees come from Tree-sitter, which reads broken and unfinished code too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import groupby
from typing import TYPE_CHECKING

from .outline import CODE_INDENT, Parsed, Section
from .reasons import Unreadable

if TYPE_CHECKING:
    from tree_sitter import Node

MIN_LINES = 5  # of a definition that is a section by itself
MIN_CHARACTERS = 20  # letters and digits; less after a definition goes with it
MAX_MEAN_CHARACTERS = 500  # of the lines of code that a person wrote

_DEFINITION = re.compile(
    r"(function|method|constructor|macro|class|interface|enum|struct|union|record|trait|type|"
    r"namespace|module|mod|impl|abstract_class|annotation_type|generator_function|internal)"
    r"_(definition|declaration|item|specifier|module)|class|module|(singleton_)?method|type_spec|variable_declarator"
)
# What stands around a definition, and is a part of it.
_AROUND = {
    *("decorated_definition", "export_statement", "template_declaration"),
    *("lexical_declaration", "type_declaration"),
}
_CONTAINER = re.compile(
    r"class|interface|struct|union|trait|namespace|mod|impl|record|internal|enum"
)
_DOCUMENT = re.compile(r"^\s*(///?!?|//!?|/\*[*!]?|\*(?!/)|#+!?|--+|[rRuU]?(\"\"\"|'''|\"|'))\s?")
_DOCUMENT_END = re.compile(r"\s*(\*+/|\"\"\"|'''|\"|')\s*$")


@dataclass
class _Definition:
    """A stretch of lines under a name, from the first of its comment to its last."""

    path: tuple[str, ...]
    first: int
    last: int
    documents: list[tuple[int, int]] = field(default_factory=list)  # first and last line of prose


def parse_code(text: str, grammar: str) -> Parsed:
    """Parse code; it names no title.

    Args:
        text: The code.
        grammar: Where the grammar of its language is, as in `LANGUAGES`; empty if nowhere.

    Raises:
        Unreadable: no person wrote it so.
    """
    lines = text.split("\n")
    if len(text) > MAX_MEAN_CHARACTERS * len(lines) and len(text) > 10 * MAX_MEAN_CHARACTERS:
        mean = len(text) // len(lines)
        raise Unreadable(f"minified code: {mean:,} characters a line")
    definitions = list(_define(text, grammar)) if grammar else []
    owners = [-1] * len(lines)
    prose = [False] * len(lines)
    for number, found in enumerate(definitions):  # an inner one comes after the one it is in
        owners[found.first : found.last + 1] = [number] * (found.last + 1 - found.first)
        for first, last in found.documents:
            prose[first : last + 1] = [True] * (last + 1 - first)
    sections: list[Section] = []
    before = len(definitions)
    for owner, numbers in groupby(range(len(lines)), lambda number: owners[number]):
        rows = list(numbers)
        told = "\n".join(_row(lines[row], is_prose=prose[row]) for row in rows)
        letters = sum(map(str.isalnum, told))
        if sections and owner < before and letters < MIN_CHARACTERS:  # `}`, `#endif`
            sections[-1] = replace(sections[-1], text=f"{sections[-1].text}\n{told}")
        else:
            heading = " > ".join(definitions[owner].path) if owner >= 0 else ""
            sections.append(Section(heading, told, f"line {rows[0] + 1}"))
        before = owner
    return Parsed("", tuple(sections))


def _row(line: str, *, is_prose: bool) -> str:
    if not is_prose:
        return CODE_INDENT + line if line.strip() else ""
    return _DOCUMENT_END.sub("", _DOCUMENT.sub("", line)).strip()


def _define(text: str, grammar: str) -> Iterator[_Definition]:
    """Yield the definitions in order, after one for the file with what documents it."""
    from tree_sitter import Language, Parser

    module, _, name = grammar.rpartition(".")
    language = Language(getattr(import_module(module), name)())
    root = Parser(language).parse(text.encode()).root_node
    top = _Definition((), 0, text.count("\n"))
    if root.named_children and _is_comment(root.named_children[0]):
        top.documents.append(_comments(root.named_children[0], forwards=True))
    top.documents += _docstring(root)
    yield top
    waiting: list[tuple[Node, tuple[str, ...]]] = [(root, ())]
    while waiting:
        node, path = waiting.pop()
        found = _definition(node, path)
        if found:
            yield found
            path = found.path
        if not found or _CONTAINER.match(node.type):
            several = [c for c in node.named_children if c.end_point.row > c.start_point.row]
            waiting += [(child, path) for child in reversed(several)]


def _definition(node: "Node", path: tuple[str, ...]) -> _Definition | None:
    """Return what a node defines, if that is long enough to be a section."""
    if not _DEFINITION.fullmatch(node.type):
        return None
    value = node.child_by_field_name("value")
    name, body = _name(node), (value or node).child_by_field_name("body")
    if not name or (body is None and node.type.endswith(("specifier", "declarator"))):
        return None
    outer = node
    while outer.parent is not None and outer.parent.type in _AROUND:
        outer = outer.parent
    first, documents = outer.start_point.row, []
    above = outer.prev_named_sibling
    if above is None and outer.parent is not None:  # Ruby puts the first comment before the body
        above = outer.parent.prev_named_sibling
    while above is not None and above.type in {"attribute_item", "attribute"}:  # of Rust
        first, above = above.start_point.row, above.prev_named_sibling
    if above is not None and _is_comment(above) and _last_row(above) == first - 1:
        documents.append(_comments(above, forwards=False))
        first = documents[0][0]
    documents += _docstring(body) if body is not None else []
    last = _last_row(outer)
    if last - first + 1 < MIN_LINES:
        return None
    return _Definition((*path, name), first, last, documents)


def _name(node: "Node") -> str:
    """Return the name a definition gives; C hides it within declarators."""
    for label in ("name", "declarator", "type"):
        found = node.child_by_field_name(label)
        while found is not None and (inner := found.child_by_field_name("declarator")) is not None:
            found = inner
        if found is not None and found.text is not None:
            return " ".join(found.text.decode(errors="replace").split())[:100]
    return ""


def _is_comment(node: "Node") -> bool:
    return node.type.endswith("comment")


def _last_row(node: "Node") -> int:
    """Return the last line; comments of some languages end where the next line begins."""
    end = node.end_point
    return end.row - 1 if end.column == 0 and end.row > node.start_point.row else end.row


def _comments(node: "Node", *, forwards: bool) -> tuple[int, int]:
    """Return first and last line of a comment with those that touch it above or below."""
    first, last = node.start_point.row, _last_row(node)
    following = node.next_named_sibling if forwards else node.prev_named_sibling
    while following is not None and _is_comment(following):
        begin, end = following.start_point.row, _last_row(following)
        if begin > last + 1 or end < first - 1:
            break
        first, last = min(first, begin), max(last, end)
        following = following.next_named_sibling if forwards else following.prev_named_sibling
    return first, last


def _docstring(body: "Node") -> list[tuple[int, int]]:
    """Return first and last line of the string that a body of Python begins with."""
    statements = [child for child in body.named_children if not _is_comment(child)][:1]
    if not statements or statements[0].type != "expression_statement":
        return []
    inner = statements[0].named_children
    if len(inner) != 1 or inner[0].type != "string":
        return []
    return [(statements[0].start_point.row, statements[0].end_point.row)]
