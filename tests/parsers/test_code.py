"""Code: a section per definition, its documentation as prose, every line in its place."""

import pytest

from tasks.parsers.code import parse_code
from tasks.parsers.languages import LANGUAGES
from tasks.parsers.reasons import Unreadable

PYTHON = '''\
#!/usr/bin/env python
"""Tell the time.

And more.
"""
import time


class Clock:
    """A clock."""

    zone = "UTC"

    # Winding takes a while.
    @cached
    def wind(self, turns):
        """Wind it up.

        >>> Clock().wind(3)
        """
        for _ in range(turns):
            self.turn()  # slowly

    def stop(self):
        pass


async def tick(
    clock,
):
    await clock
    return 1
'''

OTHERS = {
    ".js": ("Clock > wind", "class Clock {{\n  zone = 1;\n  long = 'enough to be kept';\n{}\n}}",
            "  // Wind it.\n  wind(turns) {\n    a();\n    b();\n    c();\n  }"),
    ".ts": ("wind", "import {{ x }} from 'somewhere far';\n{}",
            "/**\n * Wind it.\n */\nexport const wind = (n: number): number => {\n  return n;\n};"),
    ".java": ("Clock > wind", "public class Clock extends Machine {{\n{}\n}}",
              "  /** Wind it. */\n  @Override\n  int wind(int n) {\n    a();\n    return n;\n  }"),
    ".go": ("wind", "package clock\n\n{}",
            "// Wind it.\nfunc (c *Clock) wind(n int) error {\n\ta()\n\tb()\n\treturn nil\n}"),
    ".rs": ("Clock > wind", "impl Clock {{\n{}\n}}",
            "  /// Wind it.\n  #[inline]\n  pub fn wind(n: u8) -> u8 {\n    a();\n    n\n  }"),
    ".c": ("wind", "#include <stdio.h>\n\n{}",
           "/* Wind it. */\nstatic char *wind(int n)\n{\n  a();\n  return b;\n}"),
    ".cpp": ("clock > Clock > wind", "namespace clock {{\nclass Clock : Machine {{\n{}\n}};\n}}",
             "  // Wind it.\n  int wind(int n) const {\n    a();\n    b();\n    return n;\n  }"),
    ".cs": ("Clocks > Clock > Wind", "namespace Clocks {{\nclass Clock : Machine {{\n{}\n}}\n}}",
            "  // Wind it.\n  public int Wind(int n) {\n    A();\n    B();\n    return n;\n  }"),
    ".rb": ("Clock > wind", "class Clock < Machine::With::Long::Name\n{}\nend",
            "  # Wind it.\n  def wind(n)\n    a\n    b\n    n\n  end"),
    ".php": ("Clock > wind", "<?php\nclass Clock extends Machine {{\n{}\n}}",
             "  // Wind it.\n  function wind($n) {\n    a();\n    b();\n    return $n;\n  }"),
    ".sh": ("wind", "set -euo pipefail # as one should\n\n{}",
            "# Wind it.\nwind() {\n  a\n  b\n  c\n}"),
}  # fmt: skip


def test_definitions_are_sections_and_what_documents_them_is_prose() -> None:
    title, sections, _ = parse_code(PYTHON, LANGUAGES[".py"])
    found = {section.heading: section for section in sections}
    assert title == ""
    assert list(found) == ["", "Clock", "Clock > wind", "tick"]
    assert [s.position for s in found.values()] == ["line 1", "line 9", "line 14", "line 28"]
    assert found[""].text.split("\n")[1:5] == ["Tell the time.", "", "And more.", ""]
    assert found["Clock"].text.startswith("    class Clock:\nA clock.\n")
    wind = found["Clock > wind"].text.split("\n")
    assert wind[:3] == [
        "Winding takes a while.",
        "        @cached",
        "        def wind(self, turns):",
    ]
    assert wind[3:7] == ["Wind it up.", "", ">>> Clock().wind(3)", ""]
    assert "                self.turn()  # slowly" in wind
    assert "        def stop(self):" in wind  # too short to be a section


@pytest.mark.parametrize("kind", [".py", *OTHERS])
def test_every_line_is_where_the_source_has_it(kind: str) -> None:
    text = PYTHON if kind == ".py" else OTHERS[kind][1].format(OTHERS[kind][2])
    lines = text.split("\n")
    total = 0
    for section in parse_code(text, LANGUAGES[kind])[1]:
        first = int(section.position.removeprefix("line "))
        for number, line in enumerate(section.text.split("\n"), start=first):
            assert line.strip() in lines[number - 1]
            total += 1
    assert total == len(lines)


@pytest.mark.parametrize("kind", OTHERS)
def test_languages_name_what_they_define(kind: str) -> None:
    heading, around, inner = OTHERS[kind]
    text = around.format(inner)
    sections = {s.heading: s for s in parse_code(text, LANGUAGES[kind])[1]}
    line = text[: text.index(inner)].count("\n") + 1
    assert heading in sections
    assert sections[heading].position == f"line {line}"
    assert "Wind it." in [row.strip() for row in sections[heading].text.split("\n")[:2]]


def test_broken_code_is_read() -> None:
    assert "Clock > wind" in {s.heading for s in parse_code(PYTHON[:-60], LANGUAGES[".py"])[1]}
    assert parse_code("def (:\n  ]]] what", LANGUAGES[".py"])[1][0].position == "line 1"


def test_code_of_other_languages_is_taken_as_it_is() -> None:
    _, (section,), _ = parse_code("function a()\n  return 1\nend", LANGUAGES[".lua"])
    assert section.text == "    function a()\n      return 1\n    end"


def test_minified_code_says_so() -> None:
    with pytest.raises(Unreadable, match="^minified code: "):
        parse_code("var a=1;" * 5000, LANGUAGES[".js"])
