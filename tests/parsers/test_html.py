"""HTML: what a reader sees, under its headings, with anchors for places."""

from tasks.parsers.html import parse_html

PAGE = """\
<!doctype html>
<html><head><title>Guide &amp; more</title><style>p {}</style></head>
<body><nav>Menu</nav>
<h1>Guide</h1><p>Intro   with
<b>bold</b>text.<script>run()</script></p>
<section id="install"><h2>Install<a class="headerlink" href="#install">¶</a></h2>
<ul><li>one</li><li>two</li></ul>
<pre>  def f():
    return 1</pre>
<table><tr><th>name</th><th>value</th></tr><tr><td>a</td><td>1</td></tr></table></section>
<h3 id="linux">On <em>Linux</em></h3>unwrapped<br>lines<!-- hidden -->
<footer>Legal</footer></body></html>
"""


def test_headings_text_and_anchors() -> None:
    title, sections, _ = parse_html(PAGE)
    assert title == "Guide & more"
    assert [(s.heading, s.position) for s in sections] == [
        ("", "near line 4"),
        ("Install", "#install"),
        ("Install > On Linux", "#linux"),
    ]
    assert sections[0].text.strip() == "Intro with boldtext."
    assert [line for line in sections[1].text.split("\n") if line] == [
        "- one",
        "- two",
        "      def f():",
        "        return 1",
        "name | value",
        "a | 1",
    ]
    assert sections[2].text.strip() == "unwrapped\nlines"


def test_nothing_but_the_main_part_is_read_where_there_is_one() -> None:
    page = "<body><div>Menu</div><main><h1>T</h1><p>Text</p></main><div>Ads</div></body>"
    title, sections, _ = parse_html(page)
    assert (title, [section.text.strip() for section in sections]) == ("T", ["Text"])


def test_text_before_any_heading_is_kept() -> None:
    assert [(s.heading, s.text, s.position) for s in parse_html("just text")[1]] == [
        ("", "just text", "start")
    ]


def test_broken_and_deep_pages_are_read() -> None:
    assert parse_html("<p>a<div>b</p></span><<c")[1][0].text.split()[:2] == ["a", "b"]
    assert "words" in parse_html("<p>some words<![ nonsense [<p>more")[1][0].text
    assert parse_html("<div>" * 5000 + "deep")[1][0].text.strip() == "deep"
