"""Encodings: what is read is right, and what nobody can be sure of is set aside."""

import os
import random
import zlib

import pytest

from tasks.sources.encoding import Decoded, decode

SAMPLES = {
    "cp1252": "Le garçon a mangé des pâtes à l'école où il était très fatigué. Ça coûte 5 €, né.",
    "latin-1": "La configuración está en el archivo. ¿Qué ocurre después de reiniciar la máquina?",
    "cp1250": "Zażółć gęślą jaźń. Proszę uruchomić ponownie serwer po zmianie pliku konfiguracji.",
    "cp1251": "Съешь же ещё этих мягких французских булок, да выпей чаю. Привет, как дела?",
    "koi8-r": "Съешь же ещё этих мягких французских булок, да выпей чаю. Привет, как дела?",
    "cp1253": "Ανοίξτε το αρχείο ρυθμίσεων και αποθηκεύστε τις αλλαγές. Έπειτα επανεκκινήστε.",
    "cp1254": "Yapılandırma dosyasını açın ve değişiklikleri kaydedin. Hizmeti yeniden başlatın.",  # noqa: RUF001
    "shift_jis": "設定ファイルを編集してから、サーバーを再起動してください。",
    "euc_jp": "設定ファイルを編集してから、サーバーを再起動してください。",
    "gbk": "这是一个中文文档。请编辑配置文件,然后重新启动服务器。",
    "big5": "這是一個中文文件。請編輯設定檔案,然後重新啟動伺服器。",
    "euc_kr": "설정 파일을 열고 변경 사항을 저장한 다음 서비스를 다시 시작하십시오.",
}


@pytest.mark.parametrize("encoding", SAMPLES)
def test_a_sure_guess_is_right_and_is_told(encoding: str) -> None:
    text, guessed = decode(SAMPLES[encoding].encode(encoding))
    assert text == SAMPLES[encoding]
    assert guessed


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_marks_and_zeros_need_no_guess(encoding: str) -> None:
    text = "Plain text, naïve or not.\r\nA second line.\r"
    assert decode(text.encode(encoding)) == Decoded("Plain text, naïve or not.\nA second line.\n")


@pytest.mark.parametrize(
    "head", ['<meta charset="{}">', '<?xml version="1.0" encoding="{}"?>', "# -*- coding: {} -*-\n"]
)
def test_what_a_file_declares_is_believed_if_it_holds(head: str) -> None:
    assert decode((head.format("iso-8859-2") + "ą").encode("iso-8859-2")).text.endswith("ą")
    with pytest.raises(ValueError, match="not UTF-8: byte"):
        decode((head.format("ascii") + "ą").encode("iso-8859-2"))
    with pytest.raises(ValueError, match="not UTF-8: byte"):
        decode((head.format("no-such") + "ą").encode("iso-8859-2"))
    with pytest.raises(ValueError, match="not UTF-8: byte"):
        decode((head.format("rot13") + "ą").encode("iso-8859-2"))


@pytest.mark.parametrize(
    "content",
    [
        "café".encode("latin-1"),
        ("naïve résumé. " * 50).encode()[:-1] + b"\xff and so on",  # was UTF-8, one byte broken
        ("Plain English text goes on and on here. " * 50).encode() + b"\xff" + b" more" * 20,
        "Le garçon a mangé des pâtes à l'école où il était très fatigué.".encode("cp850"),
        b"\xff\xfea",  # half a character of UTF-16
        zlib.compress(b"some text" * 500),
        bytes(1000),
    ],
)
def test_what_nobody_can_be_sure_of_is_set_aside(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not (UTF-8|UTF-16|text): "):
        decode(content)


def test_noise_is_no_text() -> None:
    random.seed(0)
    for length in (10, 100, 1000, 10_000):
        with pytest.raises(ValueError, match="not "):
            decode(b"\xff" + random.randbytes(length) + os.urandom(length))


def test_the_place_of_the_fault_is_that_in_the_file() -> None:
    with pytest.raises(ValueError, match="not UTF-8: byte 6; save it as UTF-8"):
        decode(b"\xef\xbb\xbfcaf\xe9")


def test_a_fault_far_into_a_large_file_is_looked_at_where_it_is() -> None:
    text = "Plain words. \n" * 20_000 + SAMPLES["cp1252"] + "\n"
    assert decode(text.encode("cp1252")).text == text


@pytest.mark.parametrize("declared", ["utf-16", "utf-16le", "utf-32-be", "cp037", "utf_16_be"])
def test_an_encoding_that_its_own_declaration_is_not_in_is_not_believed(declared: str) -> None:
    page = f'<meta charset="{declared}"><p>{SAMPLES["cp1252"]}</p>\n'
    for content in (page.encode("cp1252"), page.encode("cp1252") + b" "):  # even, and odd
        assert decode(content) == Decoded(page + " " * (len(content) - len(page)), "cp1252")
