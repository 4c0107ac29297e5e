"""Markdown: headings become a path, marks go, words and their lines stay."""

from tasks.parsers.markdown import parse_markdown

PAGE = """\
# Guide

Intro with *stress*, `code()`, and [a link](https://example.org/long).

## Install

- one
- two
  1. deep

```python
run("it")  # now
```

### Linux

| name | value |
| ---- | ----- |
| a    | **1** |

<p align="center">Shown</p><!-- hidden -->

Setext
------
Last
line.
"""


def test_headings_text_and_lines() -> None:
    title, sections, _ = parse_markdown(PAGE)
    assert title == "Guide"
    found = {section.heading: section for section in sections}
    assert list(found) == ["", "Install", "Install > Linux", "Setext"]
    assert found[""].text == "Intro with stress, code(), and a link."
    assert found[""].position == "line 3"
    assert found["Install"].text.split("\n") == [
        "- one",
        "- two",
        "  1. deep",
        "",
        "",
        '    run("it")  # now',
    ]
    assert "name | value\n\na | 1" in found["Install > Linux"].text
    assert "Shown" in found["Install > Linux"].text
    assert "hidden" not in found["Install > Linux"].text
    assert found["Setext"].text == "Last\nline."


def test_every_line_is_where_the_source_has_it() -> None:
    lines = PAGE.split("\n")
    for section in parse_markdown(PAGE)[1]:
        first = int(section.position.removeprefix("line "))
        for number, line in enumerate(section.text.split("\n"), start=first):
            for word in line.replace("|", " ").split():
                assert word.strip(".,-") in lines[number - 1]


def test_several_top_headings_are_no_title() -> None:
    title, sections, _ = parse_markdown("# A\n\na\n\n# B\n\nb\n")
    assert (title, [section.heading for section in sections]) == ("", ["A", "B"])


def test_a_heading_without_text_is_in_its_childs_path() -> None:
    assert [s.heading for s in parse_markdown("# T\n## A\n## B\n### C\ntext\n")[1]] == ["B > C"]


def test_levels_may_be_left_out() -> None:
    headings = [s.heading for s in parse_markdown("# T\n#### D\nd\n## B\nb\n### C\nc\n")[1]]
    assert headings == ["D", "B", "B > C"]


def test_front_matter_gives_the_title_and_no_text() -> None:
    title, sections, _ = parse_markdown('---\ntitle: "Set up"\ntags: [a]\n---\n\nText.\n')
    assert (title, sections[0].text, sections[0].position) == ("Set up", "Text.", "line 6")


def test_a_rule_is_no_front_matter() -> None:
    assert parse_markdown("---\n\nText.\n\n---\n")[1][0].text == "Text."


def test_a_heading_in_code_is_no_heading() -> None:
    title, sections, _ = parse_markdown("```\n# no\n```\n\n    # no either\n")
    assert (title, [section.heading for section in sections]) == ("", [""])
