"""A passage read for what is telling in it: sentences and spans worth asking for."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice

from .sentences import clause_starts, is_whole, sentences
from .splits import draw
from .text import compose
from .vocabulary import Rarity, terms, words

Words = tuple[int, int]  # first word and the one after the last, counted in the text

MAX_WORDS = 25
SPAN_WORDS = (5, 15)  # AugTriever, arXiv:2212.08841
DRAWS = 4
EXTRACT_DRAWS = 16  # AugTriever's number of spans to choose from
SATURATION = 1.2  # BM25's k1
COMMON = 2  # bits: words of over an eighth of the documents weigh nothing


@dataclass(frozen=True)
class Passage:
    """What a generator is given: a stretch of text and where it stands."""

    title: str
    section: str
    text: str

    @cached_property
    def composed(self) -> str:
        """What an encoder sees of it."""
        return compose(self.title, self.section, self.text)


@dataclass(frozen=True)
class Reading:
    """A passage with its words weighed.

    Attributes:
        passage: The passage.
        weights: Weight per term: its rarity, twice if it comes back or is in title or heading.
        gains: What each term adds to the BM25 score of a query for this passage.
        places: Start and end in the text, per word.
        found: Terms, per word.
        sums: Weight of all words before each, and of all at the end.
        sentences: Its sentences of prose.
    """

    passage: Passage
    weights: Mapping[str, int]
    gains: Mapping[str, float]
    places: Sequence[tuple[int, int]]
    found: Sequence[Sequence[str]]
    sums: Sequence[int]
    sentences: Sequence[Words]

    @classmethod
    def of(cls, passage: Passage, vocabulary: Rarity) -> "Reading":
        """Read a passage of a corpus in which terms are so rare."""
        text = passage.text
        head = terms(f"{passage.title} {passage.section}")
        counts = Counter([*terms(text), *head * 2])
        rarity = {term: vocabulary.rarity(term) for term in counts}
        weights = {
            term: max(rarity[term] - COMMON, 0) * min(count, 2) for term, count in counts.items()
        }
        gains = {
            term: rarity[term] * count / (count + SATURATION) for term, count in counts.items()
        }
        places = words(text)
        found = [terms(text[start:end]) for start, end in places]
        weighed = (max((weights.get(term, 0) for term in of), default=0) for of in found)
        sums = list(accumulate(weighed, initial=0))
        starts = [start for start, _ in places]
        spans = [
            (bisect_left(starts, start), bisect_left(starts, end)) for start, end in sentences(text)
        ]
        # A boundary inside a word, where no space follows a full stop, can leave too little.
        whole = [span for span in spans if span[1] - span[0] >= SPAN_WORDS[0]]
        return cls(passage, weights, gains, places, found, sums, whole)

    def stretch(self, span: Words) -> str:
        """Return the text of a span as it stands."""
        return self.passage.text[self.places[span[0]][0] : self.places[span[1] - 1][1]]

    def words(self, span: Words) -> list[str]:
        """List the words of a span as they stand."""
        return [self.passage.text[start:end] for start, end in self.places[slice(*span)]]

    def is_told(self, number: int) -> bool:
        """Tell whether the word of this number has a term that is not common."""
        return any(self.weights.get(term, 0) for term in self.found[number])

    def weigh(self, span: Words) -> float:
        """Tell how telling a span is: weight per word, short and broken ones held back."""
        weight = (self.sums[span[1]] - self.sums[span[0]]) / (span[1] - span[0] + 4)
        return weight if is_whole(self.stretch(span)) else weight / 4

    def most_telling_sentence(self) -> Words | None:
        """Choose the sentence that weighs most per word; of a long one, clauses of 25 words."""
        spans = [span for sentence in self.sentences for span in self._clauses(sentence)]
        return max(spans, key=self.weigh, default=None)

    def draw_span(self, label: str, taken: Sequence[Words]) -> Words | None:
        """Draw a few spans of 5 to 15 words, clear of those taken, and keep the most telling.

        Args:
            label: What decides the draw; another one gives other spans.
            taken: Spans to keep clear of.
        """
        return max(self._draw_clear(label, taken, DRAWS), key=self.weigh, default=None)

    def extract_span(self, label: str, taken: Sequence[Words]) -> Words | None:
        """Draw many spans, clear of those taken, and keep the one that BM25 finds the passage by.

        The most telling of many is nearer to what a person would ask than a random one (QExt-BM25,
        AugTriever, arXiv:2212.08841).

        Args:
            label: What decides the draw; another one gives other spans.
            taken: Spans to keep clear of.
        """
        drawn = self._draw_clear(label, taken, EXTRACT_DRAWS)
        return max(drawn, key=self.score, default=None)

    def score(self, span: Words) -> float:
        """Score the passage by BM25 for a span of it; broken ones are held back."""
        told = {term for of in self.found[slice(*span)] for term in of}
        score = sum(self.gains.get(term, 0.0) for term in told)
        return score if is_whole(self.stretch(span)) else score / 4

    def _draw_clear(self, label: str, taken: Sequence[Words], most: int) -> list[Words]:
        if not self.sentences:
            return []
        drawn = (self._trim(self._draw(f"{label}\0{number}")) for number in range(3 * most))
        clear = (s for s in drawn if all(s[1] <= t[0] or t[1] <= s[0] for t in taken))
        return list(islice(clear, most))

    def _clauses(self, sentence: Words) -> Iterator[Words]:
        """Yield a sentence that is short enough, or its longest runs of clauses that are."""
        first, last = sentence
        if last - first <= MAX_WORDS:
            yield sentence
            return
        marks = [*clause_starts(self.passage.text, self.places, first, last), last]
        for start in marks[:-1]:
            ends = [mark for mark in marks if 0 < mark - start <= MAX_WORDS]
            if ends and ends[-1] - start > SPAN_WORDS[0]:
                yield self._trim((start, ends[-1]))
            elif start + MAX_WORDS <= last:
                yield self._trim((start, start + MAX_WORDS))

    def _draw(self, label: str) -> Words:
        first, last = self.sentences[int(draw("sentence", label) * len(self.sentences))]
        least, most = SPAN_WORDS[0], min(SPAN_WORDS[1], last - first)
        length = least + int(draw("length", label) * (most - least + 1))
        start = first + int(draw("start", label) * (last - first - length + 1))
        return start, start + length

    def _trim(self, span: Words) -> Words:
        """Drop common words at the ends, as long as enough are left: `of the lock that`."""
        first, last = span
        while last - first > SPAN_WORDS[0] and self.sums[first + 1] == self.sums[first]:
            first += 1
        while last - first > SPAN_WORDS[0] and self.sums[last] == self.sums[last - 1]:
            last -= 1
        return first, last
