"""reStructuredText: titles by docutils' rule, words without marks, code as code."""

import random

from docutils import nodes
from docutils.core import publish_doctree

from tasks.core.text import Section
from tasks.parsers.restructured import _titles, parse_restructured

PAGE = """\
=====
Guide
=====

Intro with *stress*, ``code()``, :ref:`a link <place>`, :class:`~os.PathLike`, and
`another
link <https://example.org>`_.

.. toctree::
   :maxdepth: 2

   install

.. a comment
   of two lines

Install
-------

.. note:: Mind
   the gap.

.. code-block:: python
   :linenos:

   run("it")

So::

  literal ``as it is``

After it.

Linux
~~~~~

====  =====
name  value
====  =====
a     1
====  =====
"""


def by_heading(text: str) -> dict[str, Section]:
    return {section.heading: section for section in parse_restructured(text)[1]}


def test_headings_text_and_lines() -> None:
    title = parse_restructured(PAGE).title
    found = by_heading(PAGE)
    assert title == "Guide"
    assert list(found) == ["", "Install", "Install > Linux"]
    assert found[""].position == "line 5"
    assert found[""].text == (
        "Intro with *stress*, code(), a link, os.PathLike, and\nanother\nlink."
    )
    install = [line for line in found["Install"].text.split("\n") if line]
    assert install == [
        "Mind",
        "   the gap.",
        '       run("it")',
        "So:",
        "      literal ``as it is``",
        "After it.",
    ]
    assert [line for line in found["Install > Linux"].text.split("\n") if line] == [
        "name  value",
        "a     1",
    ]


def test_lines_are_where_the_source_has_them() -> None:
    lines = PAGE.split("\n")
    for section in parse_restructured(PAGE)[1]:
        first = int(section.position.removeprefix("line "))
        for number, line in enumerate(section.text.split("\n"), start=first):
            assert all(word.strip(",.:") in lines[number - 1] for word in line.split())


def reference(text: str) -> list[tuple[int, str]]:
    """Level and text of each title, as docutils sees them."""
    tree = publish_doctree(
        text, settings_overrides={"report_level": 5, "halt_level": 6, "doctitle_xform": False}
    )
    return [
        (sum(isinstance(above, nodes.section) for above in _above(section)), section[0].astext())
        for section in tree.findall(nodes.section)
    ]


def _above(node: nodes.Node) -> list[nodes.Node]:
    return [] if node.parent is None else [node.parent, *_above(node.parent)]


def test_titles_are_those_of_docutils() -> None:
    draw = random.Random(0)
    pieces = [
        *("Title\n=====", "Title\n---", "Ti\n--", "T\n=", "Not\n--", "----\ntext"),
        *(
            "text\nmore text",
            "----",
            "* item\n* item",
            "    quoted\n    ------",
            "Ends::\n\n  x\n  =",
        ),
        *("== ==\na  b\n== ==", ".. note::\n\n   Title\n   text", "Long title\n====", "漢字\n===="),
    ]
    # docutils refuses to leave out a level, which we do not: the pieces have two, both known
    known = ["====\nZero\n====", "One\n===", "Two\n---"]
    for _ in range(200):
        text = "\n\n".join([*known, *(draw.choice(pieces) for _ in range(draw.randint(1, 6)))])
        assert _levels(text) == [level for level, _ in reference(text)], text


def _levels(text: str) -> list[int]:
    styles: list[tuple[str, bool]] = []
    levels = []
    for _, _, _, style in _titles(text.split("\n")):
        if style not in styles:
            styles.append(style)
        levels.append(styles.index(style))
    return levels


def test_a_long_line_of_punctuation_is_read_in_one_pass() -> None:
    line = "=" * 5000 + "x"
    assert line in parse_restructured(f"Text\n{line}\nmore")[1][0].text
