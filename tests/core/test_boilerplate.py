"""Boilerplate: what many documents repeat goes, and nothing else."""

from tasks.core.boilerplate import remove_boilerplate
from tasks.core.text import Document, Section

MENU = "Home | Products | About | Contact us"
FOOTER = "© 2023 Some Company. All rights reserved."


def page(number: int, *texts: str) -> Document:
    sections = tuple(Section("", text, "line 1") for text in texts)
    return Document(f"d{number}", "Title", sections, f"docs/d{number}.md")


def test_menus_and_footers_stay_in_the_first_document_alone() -> None:
    pages = [
        page(number, f"{MENU}\n\nParagraph {word} tells something.\n{FOOTER}")
        for number, word in enumerate(["alpha", "beta", "gamma"])
    ]
    kept, rejects = remove_boilerplate(pages, 3)
    assert kept[0] == pages[0]
    assert [document.sections[0].text for document in kept[1:]] == [
        "\n\nParagraph beta tells something.\n",
        "\n\nParagraph gamma tells something.\n",
    ]
    assert [reject.document_id for reject in rejects] == ["d1", "d2"]
    assert rejects[0].reason == f'boilerplate: 2 paragraphs or lines, "{MENU}" first'
    assert remove_boilerplate(pages, 4) == (pages, [])


def test_what_stays_is_on_the_line_where_it_was() -> None:
    license_text = "Permission is granted to anyone.\nNo warranty of any kind."
    pages = [page(number, f"{license_text}\n\nOwn text {number * 'x'}.") for number in range(2)]
    kept, _ = remove_boilerplate(pages, 2)
    assert kept[1].sections[0].text.split("\n")[3] == "Own text x."
    assert "Permission" not in kept[1].sections[0].text


def test_case_spacing_and_figures_make_no_line_another_one() -> None:
    pages = [page(1, "Last updated on  2023-01-02"), page(2, "last Updated on 2024-11-30")]
    kept, rejects = remove_boilerplate(pages, 2)
    assert not kept[1].sections[0].text.strip()
    assert len(rejects) == 1


def test_code_labels_and_repetitions_within_a_document_stay() -> None:
    code = "    import numpy as np  # always\n    for one in all of them:"
    pages = [
        page(number, f"Parameters\n\n{code}\n    own_{'xyz'[number]}()") for number in range(3)
    ]
    pages.append(page(9, f"{FOOTER}\n\n{FOOTER}", FOOTER))
    assert remove_boilerplate(pages, 3) == (pages, [])
