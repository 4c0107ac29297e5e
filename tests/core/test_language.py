"""Language: told where it is certain, and never of code."""

import pytest

from tasks.core.language import UNSURE, detect_language, list_languages


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The harbour is closed on Mondays; please register before noon."),
        ("de", "Der Hafen ist montags geschlossen; bitte melden Sie sich vor zwölf Uhr an."),
        ("fr", "Le port est fermé le lundi ; veuillez vous inscrire avant midi."),
        ("es", "El puerto está cerrado los lunes; regístrese antes del mediodía."),
        ("ru", "По понедельникам порт закрыт, зарегистрируйтесь до полудня."),
        ("zh", "港口每逢星期一关闭,请在中午之前登记,谢谢您的合作和理解。"),
        (UNSURE, "Install"),
        (UNSURE, "    for i in range(10):\n        print(i, end='')"),
        (UNSURE, "1 2 3 4.5 -- ||"),
        (UNSURE, ""),
    ],
)
def test_languages_are_told(language: str, text: str) -> None:
    assert detect_language(text) == language
    assert language in {*list_languages(), UNSURE}
