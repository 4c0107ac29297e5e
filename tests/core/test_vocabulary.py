"""Terms and their rarity."""

import pytest

from tasks.core.vocabulary import RAREST, Vocabulary, in_words, terms


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("os.path.getsize", "os path getsize"),
        ("io.BytesIO.isatty", "io bytes io isatty"),
        ("bz2.BZ2Decompressor", "bz2 decompressor"),
        ("max_tokens_per_call", "max tokens per call"),
        ("HTTPServer", "http server"),
        ("std::vector::push_back", "std vector push back"),
        ("json.dump(value, *, indent=None)", "json dump"),
        ("DUSPs and lncRNA in mice", "DUSPs and lncRNA in mice"),
        ("", ""),
    ],
)
def test_names_in_words(name: str, expected: str) -> None:
    assert in_words(name) == expected


def test_plurals_of_abbreviations_stay_whole() -> None:
    assert terms("DUSPs lncRNA mRNA") == ["dusps", "lncrna", "mrna"]


def test_rarity_falls_as_more_documents_hold_a_term() -> None:
    rarities = [Vocabulary(1024, {"x": count}).rarity("x") for count in range(1, 1025)]
    assert rarities == sorted(rarities, reverse=True)
    assert rarities[0] == RAREST
    assert rarities[-1] == 0
    assert Vocabulary(1024, {}).rarity("unseen") == RAREST


def test_rarity_depends_on_the_share_alone() -> None:
    for count in (1, 3, 10, 60):
        small, large = Vocabulary(100, {"x": count}), Vocabulary(800, {"x": 8 * count})
        assert small.rarity("x") == large.rarity("x")
