"""What a small language model is shown: passages with a query each, then the passage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from . import Examples
from .kinds import tell_kind

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Style = Literal["auto", "chat", "completion", "bare"]

SHOWN = 3  # examples: more cost time with every token written and taught SmolLM2 nothing
MAX_EXAMPLE_WORDS = 120
# Short, because they are before every token written, and each a question that begins otherwise.
QUESTIONS: Examples = (
    (
        "Ice on the coil of the outdoor unit is normal in damp weather near freezing: the heat "
        "pump reverses for a few minutes every hour and melts it. Ice that stays for more than a "
        "day means that the drain is blocked or the fan does not turn.",
        ("Why is there ice on the outside unit of a heat pump?",),
    ),
    (
        "Session.expire_all: forget the state of every instance in the session. Each is read again "
        "from the database when one of its attributes is used next. Called by commit() unless "
        "expire_on_commit is false.",
        ("How do I make a session load its objects from the database again?",),
    ),
    (
        "A fixed-term contract is not extended by parental leave, except for research posts under "
        "section 2. An application for parental leave must reach Human Resources seven weeks "
        "before the leave begins.",
        ("Does parental leave extend a fixed-term contract?",),
    ),
)
_PLACE = "\0"  # where the passage goes; in no text, since no tokenizer's template writes it
_ASK = "Write a {query} that this passage answers.\n\n{passage}"


@dataclass(frozen=True)
class Frame:
    """What stands before and after every passage.

    Attributes:
        before: Read once.
        after: Read after the passage; the query follows.
    """

    before: str
    after: str

    def tokens(self, tokenizer: "PreTrainedTokenizerFast") -> tuple[list[int], list[int]]:
        """Return the tokens before and after, with what the tokenizer begins a text with."""
        start = tokenizer("").input_ids
        is_begun = not start or self.before.startswith(str(tokenizer.bos_token))
        opening = [] if is_begun or start[0] != tokenizer.bos_token_id else start[:1]
        before, after = (
            tokenizer(text, add_special_tokens=False).input_ids if text else []
            for text in (self.before, self.after)
        )
        return [*opening, *before], after


def frame(tokenizer: "PreTrainedTokenizerFast", style: Style, examples: Examples) -> Frame:
    """Write what stands around a passage.

    Args:
        tokenizer: Its chat template is used by the style `chat`.
        style: `chat` asks for the query and shows the examples as earlier turns; `completion`
            lets a text of passages and queries be continued; `bare` shows the passage alone, for
            models trained to answer it with a query. `auto` is `chat` where there is a template.
        examples: Passages with queries; the first query of the first few is shown.
    """
    if style == "bare":
        return Frame("", "")
    shown = choose_examples(examples)
    what = (
        "question" if all(tell_kind(query) == "question" for _, query in shown) else "search query"
    )
    if style == "completion" or (style == "auto" and not tokenizer.chat_template):
        label = what.capitalize()
        pairs = "".join(f"Passage: {passage}\n{label}: {query}\n\n" for passage, query in shown)
        return Frame(f"{pairs}Passage: ", f"\n{label}:")
    turns = []
    for passage, query in [*shown, (_PLACE, "")]:
        turns.append({"role": "user", "content": _ASK.format(query=what, passage=passage)})
        turns.append({"role": "assistant", "content": query})
    text = tokenizer.apply_chat_template(
        turns[:-1], tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    before, _, after = str(text).partition(_PLACE)
    return Frame(before, after)


def choose_examples(examples: Examples) -> list[tuple[str, str]]:
    """Choose what is shown: one query each, a question where there is one, of short passages.

    A passage that is cut for its length may lose what its query asks for, so short ones come first.
    """
    pairs = []
    for passage, queries in examples:
        questions = [query for query in queries if tell_kind(query) == "question"]
        if queries:
            pairs.append((passage.split(), (questions or list(queries))[0]))
    pairs.sort(key=lambda pair: len(pair[0]) > MAX_EXAMPLE_WORDS)
    return [(" ".join(words[:MAX_EXAMPLE_WORDS]), query) for words, query in pairs[:SHOWN]]


def passage_tokens(
    tokenizer: "PreTrainedTokenizerFast", texts: Sequence[str], most: int
) -> list[list[int]]:
    """Return the first tokens of each passage; marks of the chat in it are spelt out as text."""
    flat = [" ".join(text.split()) for text in texts]
    tokens = tokenizer(flat, add_special_tokens=False, split_special_tokens=True).input_ids
    return [each[:most] for each in tokens]
