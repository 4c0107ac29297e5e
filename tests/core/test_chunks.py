"""Chunks fit the encoder, lose nothing, keep sentences whole, and know where they are."""

import random
import re

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tasks.core.chunks import Chunk, split
from tasks.core.text import Document, Section, compose


def locate_words(texts: list[str]) -> list[list[int]]:
    """Tokens are words and marks, as for BERT."""
    return [[match.start() for match in re.finditer(r"\w+|[^\w\s]", text)] for text in texts]


def byte_tokenizer() -> Tokenizer:
    """Tokens are bytes: white space counts, and a character may have four of them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: number for number, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def locate_bytes(texts: list[str]) -> list[list[int]]:
    encodings = byte_tokenizer().encode_batch(texts, add_special_tokens=False)
    return [[start for start, _ in encoding.offsets] for encoding in encodings]


def chunk(text: str, max_tokens: int = 12, heading: str = "", title: str = "") -> list[Chunk]:
    document = Document("d", title, (Section(heading, text, "line 1"),), "d.md")
    return split([document], locate_words, max_tokens=max_tokens, special_tokens=2)[0]


def random_text(draw: random.Random) -> str:
    pieces = [
        *("word", "Another", "e.g.", "json.JSONDecoder", "naïve", "漢字", "三。", "😀", "x" * 40),
        *(
            ". ",
            "! ",
            "\n",
            "\n\n",
            "\n    ",
            "\t",
            " ",
            "  ",
            "- ",
            ">>> f(a. b)\n",
            "\u2028",
            "\x0c",
        ),
    ]
    return "".join(
        draw.choice(pieces) + draw.choice(["", " "]) for _ in range(draw.randint(1, 200))
    )


@pytest.mark.parametrize("locate", [locate_words, locate_bytes])
def test_no_character_is_lost_and_every_chunk_fits(locate) -> None:  # noqa: ANN001
    draw = random.Random(0)
    for _ in range(150):
        max_tokens = draw.randint(24, 60)
        sections = tuple(
            Section(draw.choice(["", "A", "A > B" * 9]), random_text(draw)) for _ in range(3)
        )
        document = Document("d", draw.choice(["", "T", "long title " * 9]), sections, "s")
        (found,) = split([document], locate, max_tokens=max_tokens, special_tokens=2)
        assert "".join("".join(c.text for c in found).split()) == "".join(
            "".join(section.text for section in sections).split()
        )
        composed = [compose(c.title, c.section, c.text) for c in found]
        assert all(len(starts) + 2 <= max_tokens for starts in locate(composed))
        assert all(c.text and c.text == c.text.strip() for c in found)


def test_sentences_stay_whole_where_they_fit() -> None:
    text = "One two three. Four five six. Seven eight nine. Ten eleven."
    assert [c.text for c in chunk(text)] == [
        "One two three. Four five six.",
        "Seven eight nine. Ten eleven.",
    ]


def test_wrapped_sentences_are_not_cut_at_lines() -> None:
    text = "One two\nthree four. Five six\nseven eight."
    assert [c.text for c in chunk(text, 10)] == ["One two\nthree four.", "Five six\nseven eight."]


def test_a_name_with_a_dot_is_not_cut() -> None:
    text = "Use the json.JSONDecoder class here please. It works."
    assert chunk(text, 12)[0].text.startswith("Use the json.JSONDecoder class here")


def test_a_long_sentence_is_cut_at_lines_then_words_then_anywhere() -> None:
    lines = "a b c d e\nf g h i j\nk l m n o"
    assert [c.text for c in chunk(lines, 10)] == lines.split("\n")
    assert [c.text for c in chunk("a b c d e f g h i j k", 10)] == ["a b c d e f", "g h i j k"]
    letters = split(
        [Document("d", "", (Section("", "x" * 100),), "s")],
        locate_bytes,
        max_tokens=32,
        special_tokens=0,
    )[0]
    assert "".join(c.text for c in letters) == "x" * 100


def test_code_is_cut_at_lines_alone() -> None:
    code = "".join(f"    call(a{n}). Then. More. b\n" for n in range(6))
    assert all(
        line.count("b") == 1 and line.startswith("call")
        for c in chunk(code, 28)
        for line in c.text.split("\n")
    )


def test_code_keeps_its_shape() -> None:
    code = "    def f():\n        return 1\n\n    def g():\n        return 2\n"
    assert [c.text for c in chunk(code, 12)] == [
        "def f():\n    return 1",
        "def g():\n    return 2",
    ]


def test_no_chunk_crosses_a_heading_and_headings_count() -> None:
    sections = (Section("A", "One."), Section("A > B", "Two."), Section("", "Three."))
    (found,) = split(
        [Document("d", "T", sections, "s")], locate_words, max_tokens=99, special_tokens=2
    )
    assert [(c.section, c.text) for c in found] == [
        ("A", "One."),
        ("A > B", "Two."),
        ("", "Three."),
    ]
    text = "One two. Three four. Five six."
    assert len(chunk(text, 12)) < len(chunk(text, 12, heading="A > B"))


def test_the_last_chunk_is_no_tail() -> None:
    sizes = [len(c.text.split()) for c in chunk("One two. " * 13, 26)]
    assert max(sizes) - min(sizes) <= 4


def test_positions_are_lines_of_the_source() -> None:
    text = "\nOne two three.\n\nFour five six.\nSeven eight."
    assert [(c.position, c.text) for c in chunk(text, 10)] == [
        ("line 2", "One two three."),
        ("line 4", "Four five six.\nSeven eight."),
    ]


def test_positions_are_pages_where_form_feeds_end_them() -> None:
    ends = ["One two three four five. Six seven\n\feight nine ten.", "Eleven twelve here."]
    text = f"{ends[0]}\n\n\f{ends[1]}\n\n\f\fOne two three four five six."
    document = Document("d", "", (Section("", text, "page 2"),), "s")
    (found,) = split([document], locate_words, max_tokens=10, special_tokens=2)
    assert [(c.position, c.text) for c in found] == [
        ("page 2", "One two three four five."),
        ("page 2", "Six seven\neight nine ten."),
        ("page 4", "Eleven twelve here."),
        ("page 6", "One two three four five six."),
    ]


def test_a_place_that_is_no_line_holds_for_the_whole_section() -> None:
    document = Document(
        "d", "", (Section("", "One two three four.\nFive six seven eight.", "#a"),), "s"
    )
    (found,) = split([document], locate_words, max_tokens=10, special_tokens=2)
    assert [c.position for c in found] == ["#a", "#a"]


def test_long_headings_leave_room_for_text() -> None:
    text = "One two three. Four five six."
    found = chunk(text, 20, heading=" > ".join(["outer words here"] * 9), title="name " * 50)
    assert " ".join(c.text for c in found) == text
    assert all(c.section.count("outer") <= 1 and c.title.startswith("name name") for c in found)


def test_a_document_does_not_depend_on_the_others() -> None:
    draw = random.Random(1)
    documents = [Document(str(n), "T", (Section("", random_text(draw)),), "s") for n in range(9)]
    alone = [split([d], locate_words, max_tokens=24, special_tokens=2)[0] for d in documents]
    assert split(documents, locate_words, max_tokens=24, special_tokens=2) == alone


def test_a_document_without_text_has_no_chunk() -> None:
    blank = Document("d", "T", (Section("A", " \n "),), "s")
    assert split([blank], locate_words, max_tokens=24, special_tokens=2) == [[]]


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="max_tokens = 9 leaves no room; use 10"):
        split([], locate_words, max_tokens=9, special_tokens=2)
