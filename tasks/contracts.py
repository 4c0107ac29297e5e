"""The nouns of the pipeline: directories named by a hash of their content, signed last."""

import contextlib
import errno
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError

SIGNATURE = "manifest.json"
PART = "part-00000.parquet"


class BurnishError(Exception):
    """Something a person can put right; the message says what, where, and what to do."""


class Manifest(BaseModel):
    """A finished directory: small, JSON, and stable across processes, so it can travel.

    `path` is `<root>/<noun>/<fingerprint>`; `facts` are the numbers a person wants to see.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    fingerprint: str
    facts: dict[str, Any] = {}

    @property
    def root(self) -> Path:
        """The folder that holds every noun of this pipeline."""
        return self.path.parent.parent

    @classmethod
    def commit(cls, root: Path, write: Callable[[Path], None], facts: dict[str, Any]) -> Self:
        """Let `write` fill a fresh directory, then hash it, sign it, and rename it into place.

        A directory is either whole and signed or not there: a crash leaves a folder under
        `<root>/unfinished`, which nothing reads. Content that exists already is not written again.

        Raises:
            BurnishError: the disk is full or `root` cannot be written.
        """
        with writable(root):
            unfinished = root / "unfinished"
            unfinished.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{cls.__name__.lower()}-", dir=unfinished))
            folder.chmod(0o755)  # mkdtemp's 0700 would lock out another user's worker
            try:
                write(folder)
                fingerprint = fingerprint_folder(folder)
                manifest = cls(
                    path=root / cls.__name__.lower() / fingerprint,
                    fingerprint=fingerprint,
                    facts=facts,
                )
                if not (manifest.path / SIGNATURE).exists():
                    (folder / SIGNATURE).write_text(manifest.model_dump_json(indent=2))
                    manifest.path.parent.mkdir(exist_ok=True)
                    _rename(folder, manifest.path)
                return manifest
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Return the manifest of a finished directory, wherever it was moved to.

        Raises:
            BurnishError: it is not there, or was never finished.
        """
        if not (folder / SIGNATURE).exists():
            raise BurnishError(f"There is no finished {cls.__name__} in {folder}.")
        signed = json.loads((folder / SIGNATURE).read_text())
        return cls.model_validate({**signed, "path": folder})

    @classmethod
    def take_in(cls, root: Path, fingerprint: str, write: Callable[[Path], None]) -> Self | None:
        """Let `write` fill a fresh directory with what was finished and signed elsewhere.

        Returns:
            Its manifest, or None if what came is not what the fingerprint names.

        Raises:
            BurnishError: the disk is full or `root` cannot be written.
        """
        target = root / cls.__name__.lower() / fingerprint
        with writable(root):
            unfinished = root / "unfinished"
            unfinished.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{cls.__name__.lower()}-", dir=unfinished))
            folder.chmod(0o755)  # as in `commit`
            try:
                write(folder)
                if fingerprint_folder(folder) != fingerprint:
                    return None
                cls.open(folder)
                target.parent.mkdir(exist_ok=True)
                _rename(folder, target)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        return cls.open(target)

    def check(self) -> Self:
        """Return this manifest if its directory is there, else say how to make it again."""
        if not (self.path / SIGNATURE).exists():
            noun = type(self).__name__
            raise BurnishError(
                f"{noun} {self.fingerprint} was made but is gone from {self.path}. "
                "Make it again: run once more with PREFECT_TASKS_REFRESH_CACHE=true."
            )
        return self


class Table(Manifest):
    """A manifest whose directory holds Parquet; `columns` is the contract, none may be null."""

    columns: ClassVar[pa.Schema]

    @classmethod
    def write(
        cls,
        root: Path,
        rows: pa.Table | list[dict[str, Any]] | Iterator[pa.Table],
        *,
        facts: dict[str, Any] | Callable[[], dict[str, Any]] | None = None,
        rejects: list[dict[str, Any]] | None = None,
    ) -> Self:
        """Write rows as this noun, and beside them what was set aside and why.

        Args:
            root: Folder of all nouns.
            rows: A table or a list of dictionaries with at least `columns`; or tables one after
                the other, each written before the next is asked for.
            facts: Numbers for the summary, or what gives them once all rows are written; `rows`
                is added.
            rejects: What was set aside: dictionaries with `item`, `source`, `reason`.

        Raises:
            BurnishError: a column is missing or holds a null.
        """
        set_aside = pa.Table.from_pylist(rejects or [], schema=REJECTS)
        told: dict[str, Any] = {"rows": 0}

        def write(folder: Path) -> None:
            with pq.ParquetWriter(folder / PART, cls.columns) as writer:
                for table in rows if isinstance(rows, Iterator) else [rows]:
                    writer.write_table(cls.cast(table))
                    told["rows"] += len(table)
            pq.write_table(set_aside, folder / "rejects.parquet")
            told.update((facts() if callable(facts) else facts) or {})

        return cls.commit(root, write, told)

    @classmethod
    def cast(cls, rows: pa.Table | list[dict[str, Any]]) -> pa.Table:
        """Return `rows` with exactly this noun's columns and types, or say which one is wrong."""
        noun = cls.__name__
        if not isinstance(rows, pa.Table):
            rows = pa.Table.from_pylist(rows, schema=None if rows else cls.columns)
        missing = [name for name in cls.columns.names if name not in rows.column_names]
        if missing:
            raise BurnishError(f"{noun} lacks the columns {missing}; it has {rows.column_names}.")
        for name in cls.columns.names:
            if rows.column(name).null_count:
                row = rows.column(name).is_null().to_pylist().index(True)
                raise BurnishError(f"{noun}.{name} is null in row {row}; every value is required.")
        return rows.select(cls.columns.names).cast(cls.columns).combine_chunks()

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """Read all rows, of all columns or of some."""
        return pq.read_table(self.check().path / PART, schema=self.columns, columns=columns)

    def read_blocks(self) -> Iterator[pa.Table]:
        """Read the rows a block at a time, as they were written."""
        with pq.ParquetFile(self.check().path / PART) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number).cast(self.columns)

    def read_rejects(self) -> pa.Table:
        """Read what was set aside while this table was made: `item`, `source`, `reason`."""
        return pq.read_table(self.check().path / "rejects.parquet")


REJECTS = pa.schema([("item", pa.string()), ("source", pa.string()), ("reason", pa.string())])


def _required(**types: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in types.items()])


class Corpus(Table):
    """Passages of documents, each with its document and its place in it."""

    columns = _required(
        passage_id=pa.string(),  # `<document_id>#<number>`
        document_id=pa.string(),
        title=pa.string(),
        section=pa.string(),  # heading path below the title, `A > B`; empty at the top
        text=pa.string(),
        source=pa.string(),  # file, folder, or module it came from
        position=pa.string(),  # where in the source a person finds it: `line 12`, empty if unknown
        cluster=pa.string(),  # first passage that says nearly the same; itself if none does
    )


class Pairs(Table):
    """Queries and the passages that answer them, split by document."""

    columns = _required(
        query_id=pa.string(),
        query=pa.string(),
        passage_id=pa.string(),
        relevance=pa.int8(),  # > 0
        origin=pa.string(),  # `human`, `clicks`, or the generator's name
        split=pa.string(),  # `train`, `dev`, `test`
        masked=pa.string(),  # span of the composed passage to hide from the model; mostly empty
        weight=pa.float32(),  # how much the query counts in training; a made one counts 1
    )


class Candidates(Table):
    """The teacher's best passages for each training query, and its scores of the positives."""

    columns = _required(
        query_id=pa.string(),
        passage_ids=pa.list_(pa.string()),  # best first
        scores=pa.list_(pa.float32()),
        positive_ids=pa.list_(pa.string()),
        positive_scores=pa.list_(pa.float32()),
        planted_scores=pa.list_(
            pa.float32()
        ),  # of texts known to answer, in no corpus; mostly none
    )


class Triplets(Table):
    """Training rows: a query, its passage, and passages that look right but are not."""

    columns = _required(
        query_id=pa.string(),
        passage_id=pa.string(),
        negative_ids=pa.list_(pa.string()),  # hardest first
        unknown_ids=pa.list_(pa.string()),  # may answer too: neither pulled nor pushed
        score=pa.float32(),  # the teacher's, of the passage
        negative_scores=pa.list_(pa.float32()),  # of each negative, NaN where it gave none
    )


PLAIN = "plain"  # system of the tuned model's layers that are no exits, cut off as they are
GENERAL = "general"  # origin of questions about something else: what was forgotten of it


class Scores(Table):
    """How well every system and layer finds the answers, with the values behind each mean.

    A model as it pools by itself, at its whole length, comes before its other cells. The fact
    `milliseconds` holds, by layer, what encoding a passage took here once the model was cut there.
    """

    columns = _required(
        system=pa.string(),  # `tuned`, `PLAIN`, `base`, `BM25`, `champion`, or an endpoint
        layer=pa.int32(),  # 0 for BM25 and for an endpoint's model
        pooling=pa.string(),  # empty for these
        dimension=pa.int32(),  # of an embedding; 0 for BM25
        split=pa.string(),  # `dev` or `test`
        origin=pa.string(),  # `human`, `synthetic`, or `GENERAL`, which is no test question
        metric=pa.string(),  # `ndcg@10`, `recall@100`, `mrr@10`, `map@100`
        value=pa.float64(),  # mean over the queries
        low=pa.float64(),  # 95 % bootstrap interval over the queries
        high=pa.float64(),
        cost=pa.float64(),  # GFLOPs to encode a passage of the mean length; 0 for BM25 and the like
        values=pa.list_(pa.float64()),  # per query, ordered by query_id
    )


class Checkpoint(Manifest):
    """An encoder in sentence-transformers' format: safetensors, tokenizer, configuration."""


class Registration(Manifest):
    """A model version in the registry, the gate's decision about it, and the reason."""


def fingerprint_folder(folder: Path) -> str:
    """Hash names and contents of all files below `folder`, the signature excepted."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if file.name != SIGNATURE:
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def fingerprint(*values: object) -> str:
    """Hash values that JSON can hold.

    >>> fingerprint("a", {"b": 1}) == fingerprint("a", {"b": 1})
    True
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


@contextlib.contextmanager
def writable(root: Path) -> Iterator[None]:
    """Turn the errors of a full disk and of a read-only root into ones that say what to do."""
    full = BurnishError(
        f"The disk is full: cannot write below {root}. Free space there or choose another "
        "folder with --root; finished stages are kept and the run goes on from them."
    )
    try:
        yield
    except SafetensorError as error:  # tells the system's error in words alone
        if f"os error {errno.ENOSPC}" in str(error):
            raise full from error
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise full from error
        is_refused = error.errno in {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}
        # where no folder can be made (/proc), it is "not found", the root itself or above
        is_impossible = error.errno == errno.ENOENT and root.is_relative_to(error.filename or "?")
        if is_refused or is_impossible:
            raise BurnishError(
                f"Cannot write below {root}: {error.strerror}. "
                "Make the folder writable or choose another with --root."
            ) from error
        raise


def _rename(folder: Path, target: Path) -> None:
    """Rename `folder` to `target`, replacing an unsigned leftover; keep a twin made meanwhile."""
    if target.exists() and not (target / SIGNATURE).exists():
        shutil.rmtree(target)
    try:
        folder.rename(target)
    except OSError:
        if not (target / SIGNATURE).exists():
            raise


def batched_rows(table: pa.Table, columns: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """Yield a table's rows as tuples of `columns`."""
    yield from zip(*(table.column(name).to_pylist() for name in columns), strict=True)
