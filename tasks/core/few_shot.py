"""Few-shot examples: which of people's own questions show a model what is wanted."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from .pairs import Pair
from .questions import BY_PEOPLE, HUMAN
from .splits import draw
from .vocabulary import Vocabulary, terms, words

MAX_WORDS = 200  # longer passages would crowd out what is asked about
CONSIDERED = 500  # questions; enough to find good ones, few enough to cost nothing


def choose_examples(
    pairs: Sequence[Pair],
    texts: Mapping[str, str],
    vocabulary: Vocabulary,
    *,
    passages: int,
    queries: int,
    seed: int = 0,
) -> list[tuple[str, tuple[str, ...]]]:
    """Choose passages with queries that people asked for them, all of the train split.

    Of the documents that answer a question, which may be long, the passage is shown that shares
    most of its rare words. What was judged goes before what was clicked, then passages with many
    questions; a hash decides among the rest, so that a further question seldom changes the choice.

    Args:
        pairs: Pairs; those of dev and test, and made ones, are passed over.
        texts: Composed passages by id.
        vocabulary: Document frequencies of the corpus.
        passages: Most passages to choose, each of another document.
        queries: Most queries to give of each.
        seed: Another seed, other examples.

    Returns:
        Composed passages, each with its queries.
    """
    asked: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.split == "train" and pair.origin in BY_PEOPLE:
            asked[pair.query_id].append(pair)
    drawn = sorted(asked, key=lambda name: (asked[name][0].origin != HUMAN, draw(seed, name), name))
    by_passage: dict[str, list[Pair]] = defaultdict(list)
    for query_id in drawn[:CONSIDERED]:
        best = max(asked[query_id], key=lambda pair: (_shared(pair, texts, vocabulary), pair))
        if _shared(best, texts, vocabulary) and len(words(texts[best.passage_id])) <= MAX_WORDS:
            by_passage[best.passage_id].append(best)
    ranked = sorted(
        by_passage.values(),
        key=lambda found: (
            found[0].origin != HUMAN,
            -min(len(found), queries),
            draw(seed, texts[found[0].passage_id]),
        ),
    )
    by_document: dict[str, list[Pair]] = {}
    for found in ranked:
        by_document.setdefault(found[0].document_id, found)
    return [
        (texts[found[0].passage_id], tuple(pair.query for pair in found[:queries]))
        for found in list(by_document.values())[:passages]
    ]


def _shared(pair: Pair, texts: Mapping[str, str], vocabulary: Vocabulary) -> int:
    """Sum the rarities of the words that a query shares with its passage."""
    shared = set(terms(pair.query)).intersection(terms(texts[pair.passage_id]))
    return sum(vocabulary.rarity(term) for term in shared)
