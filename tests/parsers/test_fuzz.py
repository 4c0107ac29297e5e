"""Malformed files and lines of every kind: no crash, and every one of them accounted for.

`FUZZ_FILES` sets how many (300), `FUZZ_SEED` which (0), and `FUZZ_SAMPLES` names a folder of
further files to start from:

    FUZZ_FILES=10000 pytest --log-cli-level=INFO tests/parsers/test_fuzz.py
"""

import io
import json
import logging
import os
import random
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import docx
import pptx
import pytest

from tasks.parsers.kinds import BINARY, KINDS
from tasks.sources import list_sources, read_documents

logger = logging.getLogger(__name__)

COUNT = int(os.environ.get("FUZZ_FILES", "300"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))
WORDS = rb"<< >> /Length 99999999999 ]]]]] ((((( {{{{{ <![CDATA[ &#xD800; ``` == :: ***".split()
WORDS += [b"\x00", b"\xff\xfe", b"\n\n", b"\r"]
PART = re.compile(r" (page|slide)s? [\d-]+$")  # lost of a document that stays, beside its own row
PROSE = "# Guide\n\nSome *words* of text.\n\n- one\n- two\n\n## Part\n\n    code()\n\n| a | b |\n"
SAMPLES = {
    ".html": "<title>T</title><h1 id=a>Guide</h1><p>Some words<ul><li>one</ul><pre>x\ny</pre>",
    ".rst": "Guide\n=====\n\nSome ``it``::\n\n    code()\n\n.. note:: More\n\n== ==\na b\n== ==\n",
    ".py": 'class A:\n    """Doc."""\n\n    def run(a):\n        """Run."""\n        return [1]\n',
    ".cpp": "// Doc\ntemplate <class T>\nclass A : B {\n  int run(int n) {\n    n();\n  }\n};\n",
    ".ts": "/** Doc */\nexport class A<T> {\n  run = (n: T) => {\n    return `${n}`;\n  };\n}\n",
    ".ipynb": json.dumps(
        {
            "cells": [
                {"cell_type": "markdown", "metadata": {}, "source": PROSE},
                {"cell_type": "code", "metadata": {}, "source": "run()", "outputs": []},
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def samples(write_pdf: Callable[..., bytes]) -> dict[str, list[bytes]]:
    """Whole files of every kind."""
    found = {kind: [SAMPLES.get(kind, PROSE).encode()] for kind in sorted(KINDS)}
    lines = [(800 - 20 * number, 10, f"Line {number} of text.") for number in range(9)]
    found[".pdf"] = [write_pdf([lines, lines], bookmarks=[("A", 0, 700), ("B", 1, 700)])]
    document, presentation = docx.Document(), pptx.Presentation()
    document.add_heading("Guide", 1)
    document.add_paragraph("Some words of text.", "List Bullet")
    document.add_table(2, 2).cell(0, 0).text = "cell"
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Guide", "Some words of text."
    for kind, written in ((".docx", document), (".pptx", presentation)):
        stream = io.BytesIO()
        written.save(stream)
        found[kind] = [stream.getvalue()]
    folder = os.environ.get("FUZZ_SAMPLES")
    for file in sorted(Path(folder).rglob("*")) if folder else ():
        if file.suffix in KINDS and file.is_file() and file.stat().st_size < 1 << 19:
            found[file.suffix].append(file.read_bytes())
    return found


def mutate(content: bytes, draw: random.Random) -> bytes:
    """Cut, overwrite, repeat, remove, and insert here and there; of an archive, in one part."""
    if content.startswith(b"PK") and draw.random() < 0.7:
        return mutate_part(content, draw)
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 5, 20])):
        start = draw.randrange(len(changed) + 1)
        end = min(len(changed), start + draw.choice([1, 4, len(content) // 16, 400]))
        way = draw.randrange(12)
        if way == 0:
            del changed[draw.randrange(len(changed) + 1) :]
        elif way < 3:
            changed[start:end] = draw.randbytes(end - start)
        elif way < 5:
            changed[start:start] = changed[start:end] * draw.choice([1, 3, 100])
        elif way < 7:
            del changed[start:end]
        elif way < 10:
            changed[start:end] = draw.choice(WORDS) * draw.choice([1, 2, 300])
        else:
            changed[start:end] = bytes(end - start)
    return bytes(changed)


def mutate_part(content: bytes, draw: random.Random) -> bytes:
    """Change one part of an archive, so that its checksums hold and its text is reached."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        telling = [name for name in names if re.search(r"document|slide\d|rels|styles", name)]
        chosen = draw.choice(telling or names)
        for name in names:
            part = old.read(name)
            new.writestr(name, mutate(part, draw) if name == chosen else part)
    return stream.getvalue()


def test_every_file_is_accounted_for(samples: dict[str, list[bytes]], tmp_path: Path) -> None:
    draw = random.Random(SEED)
    folder = tmp_path / "documents"
    folder.mkdir()
    names = set()
    kinds = [*sorted(KINDS), *[".pdf", ".docx", ".pptx"] * 8]  # the kinds that break parsers
    for number in range(COUNT * 3 // 4):
        kind = kinds[number % len(kinds)]
        names.add(f"{number}{kind}")
        content = mutate(draw.choice(samples[kind]), draw)
        if kind not in BINARY and draw.random() < 0.7:
            content = content.decode(errors="replace").encode()  # to be parsed, not refused
        (folder / f"{number}{kind}").write_bytes(content)
    documents, rejects, work = read_documents(list_sources([str(folder)]), tmp_path / "root")
    found = [item.document_id for item in (*documents, *rejects)]
    parts = [name for name in found if PART.search(name)]
    assert Counter(found) - Counter(parts) == Counter(names)
    assert {PART.sub("", name) for name in parts} <= names
    sections = [section for document in documents for section in document.sections]
    assert all(section.text.encode().strip() and section.position for section in sections)
    assert all(re.match(r"[\w -]+(:|$)", reject.reason) for reject in rejects)
    reasons = Counter(reject.reason.partition(":")[0] for reject in rejects)
    logger.info("%d files: %d documents; %s", len(names), len(documents), dict(reasons))
    assert "crashes the parser" not in reasons
    assert work["parsed"] > 0


def test_every_line_is_accounted_for(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    folder = tmp_path / "documents"
    folder.mkdir()
    rows = {
        "rows.jsonl": b'{"_id": "%d", "title": "T", "text": "Some words."}',
        "rows.csv": b"%d;T;Some words.",
        "rows.tsv": b"%d\tT\tSome words.",
    }
    first = {
        "rows.jsonl": b'{"_id": "first", "text": "First."}',
        "rows.csv": b"id;title;text",
        "rows.tsv": b"id\ttitle\ttext",
    }
    wanted = Counter({"rows.jsonl": 1})
    for name, row in rows.items():
        lines = [first[name]]
        for number in range(COUNT // 12 + 1):
            line = mutate(row % number, draw) if draw.random() < 0.9 else row % number
            line = re.sub(rb"[\r\n]", b"", line)
            if name != "rows.jsonl":
                line = line.replace(b'"', b"")  # which would join lines, as it may
            lines.append(line)
            wanted[name] += bool(line.decode(errors="replace").strip())
        (folder / name).write_bytes(b"\n".join(lines))
    documents, rejects, _ = read_documents(list_sources([str(folder)]), tmp_path / "root")
    found = Counter(item.document_id.partition(":")[0] for item in (*documents, *rejects))
    logger.info("%d lines: %d documents", wanted.total(), len(documents))
    assert found == wanted
    assert documents
    assert rejects
