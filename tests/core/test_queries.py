"""Queries out of passages: what is hidden is there, and what is chosen stays chosen."""

from collections import Counter
from pydoc_data.topics import topics

import pytest

from tasks.core.pairs import TRAINING_ALONE
from tasks.core.queries import Kind, Query, make_queries
from tasks.core.reading import COMMON, SPAN_WORDS, Passage, Reading
from tasks.core.text import mask
from tasks.core.vocabulary import Vocabulary, terms, words

KINDS: tuple[Kind, ...] = ("span", "name", "sentence", "keywords")
ALL_KINDS: tuple[Kind, ...] = (*KINDS, "extract", "terse", "question", "topic")
PASSAGES = [
    Passage(f"language.{name}", "Reference > Rules of " + name, paragraph)
    for name, text in sorted(topics.items())
    for paragraph in text.split("\n\n")
    if len(paragraph.split()) > 40
][:200]
VOCABULARY = Vocabulary.count([passage.composed] for passage in PASSAGES)


def queries_of(
    passage: Passage,
    vocabulary: Vocabulary = VOCABULARY,
    *,
    count: int = 4,
    kinds: tuple[Kind, ...] = KINDS,
    share: float = 0.5,
    seed: int = 0,
) -> list[Query]:
    hide = dict.fromkeys(ALL_KINDS, share)
    return make_queries(passage, vocabulary, count=count, kinds=kinds, hide=hide, seed=seed)


def test_what_is_hidden_stands_in_the_passage() -> None:
    seen = Counter()
    for passage in PASSAGES:
        for query in queries_of(passage, kinds=ALL_KINDS, count=8):
            seen[query.kind] += 1
            assert query.span in passage.composed
            assert bool(query.span) == (query.kind not in TRAINING_ALONE)
            if query.span:
                masked = mask(passage.composed, query.span)
                assert query.span not in masked
                assert len(terms(masked)) >= 5
    assert min(seen[kind] for kind in ALL_KINDS if kind != "question") > len(PASSAGES) / 2
    assert seen["question"] > len(PASSAGES) / 4


def test_spans_and_sentences_keep_to_their_lengths() -> None:
    least, most = SPAN_WORDS
    for passage in PASSAGES:
        for query in queries_of(passage):
            if query.kind == "span":
                assert least <= len(words(query.span)) <= most
            if query.kind == "sentence":
                assert 4 <= len(query.text.split()) <= 25
            assert "\n" not in query.text


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_so_many_are_hidden_as_asked(share: float) -> None:
    made = [query for passage in PASSAGES for query in queries_of(passage, share=share)]
    cut = [query.is_hidden for query in made if query.span]
    assert sum(cut) / len(cut) == pytest.approx(share, abs=0.05)
    assert not any(query.is_hidden for query in made if not query.span)


def test_a_corpus_that_grows_evenly_changes_nothing() -> None:
    doubled = Vocabulary.count([passage.composed] for passage in PASSAGES * 2)
    for passage in PASSAGES:
        assert queries_of(passage, doubled) == queries_of(passage)


def test_a_new_document_changes_hardly_any_query() -> None:
    new = "A brand new document about heat pumps, coils, and blocked drains in winter."
    grown = Vocabulary.count([*([passage.composed] for passage in PASSAGES), [new]])
    changed = sum(queries_of(passage, grown) != queries_of(passage) for passage in PASSAGES)
    assert changed <= 0.05 * len(PASSAGES)


def test_another_seed_gives_other_spans() -> None:
    def spans(seed: int) -> list[str]:
        return [q.span for p in PASSAGES for q in queries_of(p, kinds=("span",), seed=seed)]

    same = sum(a == b for a, b in zip(spans(0), spans(1), strict=False))
    assert same < len(spans(0)) / 3
    assert spans(0) == spans(0)


def test_more_queries_than_kinds_are_further_spans() -> None:
    for passage in PASSAGES:
        made = queries_of(passage, count=8, kinds=("span",))
        assert len(made) <= 8
        assert len({query.text.lower() for query in made}) == len(made)
    assert any(len(queries_of(p, count=8, kinds=("span",))) > 3 for p in PASSAGES)


def test_spans_keep_clear_of_those_taken() -> None:
    for passage in PASSAGES[:50]:
        reading = Reading.of(passage, VOCABULARY)
        taken: list[tuple[int, int]] = []
        for number in range(6):
            span = reading.draw_span(str(number), taken)
            if span:
                assert all(span[1] <= start or end <= span[0] for start, end in taken)
                taken.append(span)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_more_are_made_than_asked_and_the_wanted_kinds_first(count: int) -> None:
    for passage in PASSAGES:
        made = queries_of(passage, count=count)
        assert len(made) <= count
    assert sum(queries_of(p, count=1)[0].kind == "span" for p in PASSAGES) > 0.8 * len(PASSAGES)


@pytest.mark.parametrize(
    "passage",
    [
        Passage("", "", ""),
        Passage("abs", "", "Return the absolute value."),
        Passage("", "", ">>> x = 1\n>>> y = 2"),
        Passage("", "", "a a a a a a a a a a a a"),
        Passage("...", "***", "--- !!! ???"),
    ],
)
def test_too_short_a_passage_gives_none(passage: Passage) -> None:
    assert queries_of(passage) == []


def test_names_are_put_into_words_and_headings_stay() -> None:
    text = "Runs calls in a pool of workers and collects what they return, in the order given."
    named = Passage("concurrent.futures.ThreadPoolExecutor", "", text)
    made = queries_of(named, kinds=("name",))
    assert [query.text for query in made] == ["concurrent futures thread pool executor"]
    assert made[0].span == "concurrent.futures.ThreadPoolExecutor"
    headed = Passage("Handbook", "Leave > Parental leave abroad", text)
    made = queries_of(headed, kinds=("name",))
    assert [query.text for query in made] == ["handbook Parental leave abroad"]
    assert made[0].span == "Handbook\nLeave > Parental leave abroad"


def test_a_title_inside_other_words_is_not_hidden() -> None:
    text = "all callables are called, and finally what they all returned is handed back in order."
    assert queries_of(Passage("all call", "", text + " A wall calls."), kinds=("name",)) == []


def test_the_telling_sentence_wins_not_the_longest() -> None:
    common = "This is one of the many things that are said in each and every one of the documents"
    corpus = Vocabulary.count([[f"{common} {n}."] for n in range(100)])
    text = f"{common}. Quicksilver barometers oscillate violently before thunderstorms. {common}."
    (made,) = queries_of(Passage("", "", text), corpus, kinds=("sentence",), count=1)
    assert made.text == "Quicksilver barometers oscillate violently before thunderstorms"


def test_keywords_stand_in_the_order_of_the_passage() -> None:
    for passage in PASSAGES:
        for query in queries_of(passage, kinds=("keywords",)):
            found = terms(passage.composed)
            places = [found.index(term) for term in query.text.split()]
            assert places == sorted(places)
            assert 3 <= len(places) <= 6


def test_citations_are_not_asked_for() -> None:
    text = (
        "Oseltamivir shortens influenza by one day in healthy adults [12, 13] (Smith et al., 2003)."
        " Side effects such as nausea were seen in every tenth patient who took the drug twice."
    )
    for query in queries_of(Passage("", "", text), kinds=("sentence", "span"), count=4):
        assert "[" not in query.text
        assert "2003" not in query.text


@pytest.mark.parametrize(
    "text",
    [
        "Der Antrag muss sieben Wochen vor Beginn der Elternzeit gestellt werden. Befristete "
        "Verträge verlängern sich dadurch nicht, außer bei wissenschaftlichen Stellen.",
        "申請は休暇の七週間前までに人事部へ提出してください。有期契約は休暇によって延長されません。"
        "ただし研究職の場合は例外があります。",
        "आवेदन अवकाश से सात सप्ताह पहले जमा करना होगा। निश्चित अवधि के अनुबंध इससे आगे नहीं बढ़ते, "
        "पर शोध पदों के लिए छूट दी जाती है।",
        "Заявление подаётся за семь недель до начала отпуска. Срочный договор при этом не "
        "продлевается, кроме договоров с научными сотрудниками.",  # noqa: RUF001
    ],
)
def test_other_languages_work_too(text: str) -> None:
    made = queries_of(Passage("", "", text))
    assert {"span", "sentence"} <= {query.kind for query in made}
    assert all(query.span in text for query in made)


def test_text_of_any_kind_is_survived() -> None:
    for text in ("\x00" * 50, "word " * 5000, "🙂 " * 100):
        queries_of(Passage("t", "", text))


def test_extracts_score_higher_than_spans_and_telegrams_leave_common_words_out() -> None:
    def scores(kind: Kind) -> list[float]:
        found = []
        for passage in PASSAGES:
            reading = Reading.of(passage, VOCABULARY)
            for query in queries_of(passage, kinds=(kind,), count=1):
                found.append(sum(reading.gains.get(term, 0) for term in set(terms(query.text))))
        return found

    assert sum(scores("extract")) > 1.2 * sum(scores("span"))
    for passage in PASSAGES:
        for query in queries_of(passage, kinds=("terse",), count=3):
            told = terms(query.text)
            assert len(query.text.split()) >= 3
            assert len(words(query.text)) <= 8
            assert all(term in terms(query.span) for term in told)
            assert sum(VOCABULARY.rarity(term) <= COMMON for term in told) <= len(told) / 2


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The outdoor unit is a heat exchanger that freezes.",
         {"what is a heat exchanger that freezes", "what is the outdoor unit",
          "is the outdoor unit a heat exchanger that freezes"}),
        ("Pending changes can be lost when a session ends, unless they were flushed before.",
         {"what can be lost when a session ends",
          "can Pending changes be lost when a session ends"}),
        ("It may wait for ever when nobody frees the lock.",
         {"what may wait for ever when nobody frees the lock"}),
        ("In winter, ice is normal on such a coil.", set()),  # no subject before the verb
        ("Leaves and snow block the drain below the unit.", set()),  # no verb to move
    ],
)  # fmt: skip
def test_sentences_are_turned_into_questions(sentence: str, expected: set[str]) -> None:
    corpus = Vocabulary(1, {})
    made = {
        query.text
        for seed in range(20)
        for query in queries_of(
            Passage("", "", f"{sentence} Nobody told anything else about these matters today."),
            corpus, kinds=("question",), seed=seed,
        )
    }  # fmt: skip
    assert made == expected


def test_a_topic_is_the_subject_and_what_the_text_adds() -> None:
    for passage in PASSAGES:
        for query in queries_of(passage, kinds=("topic",)):
            told = query.text.split()
            head = terms(f"{passage.title} {passage.section}")
            named = [term for term in told if term in head]
            assert told[: len(named)] == named
            assert 0 < len(named) <= 3
            assert 0 < len(told) - len(named) <= 3


def test_other_words_of_the_corpus_do_not_count() -> None:
    for passage in PASSAGES[:40]:
        found = set(terms(passage.composed))
        own = {term: count for term, count in VOCABULARY.frequencies.items() if term in found}
        assert queries_of(passage, Vocabulary(VOCABULARY.documents, own)) == queries_of(passage)
