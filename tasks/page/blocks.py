"""What a page is made of: plain text and numbers; only a renderer turns them into markup."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Share:
    """A part of a whole, told in per cent and, where there is room, as a bar."""

    part: float
    whole: float

    @property
    def percent(self) -> float:
        """Return the share in per cent; 0 of nothing."""
        return 100 * self.part / self.whole if self.whole else 0.0


Cell = str | int | float | Share


@dataclass(frozen=True)
class Paragraph:
    """A sentence or a few."""

    text: str


@dataclass(frozen=True)
class Notes:
    """Sentences, one under the other."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """A few numbers to see first, each with what it counts."""

    values: tuple[tuple[Cell, str], ...]


@dataclass(frozen=True)
class Grid:
    """Rows under a header; numbers stand to the right."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A drawing (SVG) and, for who cannot see it, what it shows."""

    caption: str
    svg: bytes


@dataclass(frozen=True)
class Record:
    """Text as it was recorded, spaces and lines kept, folded away."""

    title: str
    text: str


ANSWER = "answer"  # role of the passage that answers


@dataclass(frozen=True)
class Excerpt:
    """A passage to read.

    Attributes:
        role: Whether it answers, or which of the negatives it is.
        score: The teacher's; None where it has none.
        place: Where a person finds it.
        heading: Title and section.
        text: All of its text; renderers shorten it.
        marked: The part of `text` that is hidden from the model in training; mostly empty.
    """

    role: str
    score: float | None
    place: str
    heading: str
    text: str
    marked: str = ""


@dataclass(frozen=True)
class Sample:
    """One training row: a query, where it is from, and its passages, the answer first."""

    query: str
    origin: str
    passages: tuple[Excerpt, ...]


Block = Paragraph | Notes | Figures | Grid | Picture | Record | Sample


@dataclass(frozen=True)
class Section:
    """A heading and what is below it; `warnings` are what a person should look at."""

    title: str
    blocks: list[Block]
    warnings: list[str] = field(default_factory=list)


def tell(cell: Cell) -> str:
    """Put a cell into words.

    >>> tell(12345), tell(0.5), tell(Share(1, 8)), tell("as it is")
    ('12,345', '0.500', '12.5 %', 'as it is')
    """
    match cell:
        case Share():
            return f"{cell.percent:.1f} %"
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.3f}"
        case _:
            return cell
