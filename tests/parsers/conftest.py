"""A writer of PDF files, small and real."""

from collections.abc import Callable, Mapping, Sequence

import pytest

Placed = tuple[float, float, str]  # height above the foot of the page in points, size, text
WritePdf = Callable[..., bytes]


@pytest.fixture(scope="session")
def write_pdf() -> WritePdf:
    return _write_pdf


def _write_pdf(
    pages: Sequence[Sequence[Placed]],
    title: str = "",
    bookmarks: Sequence[tuple[str, int, float]] = (),  # text, page from 0, height
    trailer: str = "",
    drawn: Mapping[int, str] | None = None,  # page from 0: operators; `/Scan Do`, `/Sheet Do`
) -> bytes:
    drawn = drawn or {}
    count = len(pages)
    kids = " ".join(f"{5 + number} 0 R" for number in range(count))
    scan, first_mark = 5 + 2 * count, 7 + 2 * count
    images = f"/XObject<</Scan {scan} 0 R/Sheet {scan + 1} 0 R>>" if drawn else ""
    objects = [
        "<</Type/Catalog/Pages 2 0 R" + (f"/Outlines {first_mark} 0 R>>" if bookmarks else ">>"),
        f"<</Type/Pages/Kids[{kids}]/Count {count}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        f"<</Title({title})>>",
    ]
    for number in range(count):
        objects.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>"
            f"{images}>>"
            f"/Contents {5 + count + number} 0 R>>"
        )
    for number, page in enumerate(pages):
        shown = "".join(
            f"BT /F1 {size} Tf 72 {height} Td ({_escape(text)}) Tj ET\n"
            for height, size, text in page
        ) + drawn.get(number, "")
        objects.append(f"<</Length {len(shown)}>>\nstream\n{shown}\nendstream")
    objects += [
        "<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8"
        "/Length 1>>\nstream\nx\nendstream",
        "<</Type/XObject/Subtype/Form/BBox[0 0 1 1]/Length 8"
        f"/Resources<</XObject<</Scan {scan} 0 R>>>>>>\nstream\n/Scan Do\nendstream",
    ]
    if bookmarks:
        last = first_mark + len(bookmarks)
        objects.append(f"<</First {first_mark + 1} 0 R/Last {last} 0 R/Count {len(bookmarks)}>>")
        for number, (text, page, height) in enumerate(bookmarks, start=first_mark + 1):
            following = f"/Next {number + 1} 0 R" if number < last else ""
            place = f"[{5 + page} 0 R/XYZ 0 {height} 0]"
            objects.append(f"<</Title({text})/Parent {first_mark} 0 R{following}/Dest{place}>>")
    return _join(objects, trailer)


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _join(objects: Sequence[str], trailer: str) -> bytes:
    content, places = b"%PDF-1.7\n", []
    for number, written in enumerate(objects, start=1):
        places.append(len(content))
        content += f"{number} 0 obj\n{written}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        content
        + (
            f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
            f"trailer\n<</Size {len(objects) + 1}/Root 1 0 R/Info 4 0 R{trailer}>>\n"
            f"startxref\n{len(content)}\n%%EOF\n"
        ).encode()
    )
