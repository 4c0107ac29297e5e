"""A passage read for what is telling in it: sentences and spans worth asking for."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .sentences import clause_starts, is_whole, sentences
from .splits import draw
from .text import compose
from .vocabulary import Vocabulary, terms, words

Words = tuple[int, int]  # first word and the one after the last, counted in the text

MAX_WORDS = 25
SPAN_WORDS = (5, 15)  # AugTriever, arXiv:2212.08841
DRAWS = 4
COMMON = 2  # bits: words of over an eighth of the documents weigh nothing


@dataclass(frozen=True)
class Passage:
    """What a generator is given: a stretch of text and where it stands."""

    title: str
    section: str
    text: str

    @property
    def composed(self) -> str:
        """What an encoder sees of it."""
        return compose(self.title, self.section, self.text)


@dataclass(frozen=True)
class Reading:
    """A passage with its words weighed.

    Attributes:
        passage: The passage.
        weights: Weight per term: its rarity, twice if it comes back or is in title or heading.
        places: Start and end in the text, per word.
        sums: Weight of all words before each, and of all at the end.
        sentences: Its sentences of prose.
    """

    passage: Passage
    weights: Mapping[str, int]
    places: Sequence[tuple[int, int]]
    sums: Sequence[int]
    sentences: Sequence[Words]

    @classmethod
    def of(cls, passage: Passage, vocabulary: Vocabulary) -> "Reading":
        """Read a passage of a corpus with these document frequencies."""
        text = passage.text
        head = terms(f"{passage.title} {passage.section}")
        counts = Counter([*terms(text), *head * 2])
        weights = {
            term: max(vocabulary.rarity(term) - COMMON, 0) * min(count, 2)
            for term, count in counts.items()
        }
        places = words(text)
        weighed = (
            max((weights.get(term, 0) for term in terms(text[start:end])), default=0)
            for start, end in places
        )
        starts = [start for start, _ in places]
        found = [
            (bisect_left(starts, start), bisect_left(starts, end)) for start, end in sentences(text)
        ]
        # A boundary inside a word, where no space follows a full stop, can leave too little.
        whole = [span for span in found if span[1] - span[0] >= SPAN_WORDS[0]]
        return cls(passage, weights, places, list(accumulate(weighed, initial=0)), whole)

    def stretch(self, span: Words) -> str:
        """Return the text of a span as it stands."""
        return self.passage.text[self.places[span[0]][0] : self.places[span[1] - 1][1]]

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
        if not self.sentences:
            return None
        drawn = [self._trim(self._draw(f"{label}\0{number}")) for number in range(3 * DRAWS)]
        clear = [s for s in drawn if all(s[1] <= t[0] or t[1] <= s[0] for t in taken)]
        return max(clear[:DRAWS], key=self.weigh, default=None)

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
