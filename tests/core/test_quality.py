"""Quality: each bound sets aside what breaks it and nothing else."""

import pytest

from tasks.core.quality import Bounds, find_fault

TEXT = "The port is 8080 by default."


@pytest.mark.parametrize(
    ("text", "bounds", "fault"),
    [
        (TEXT, Bounds(1), ""),
        (TEXT, Bounds(22), ""),
        (TEXT, Bounds(23), "too short: under 23 letters and digits"),
        (TEXT, Bounds(1, max_characters=28), ""),
        (TEXT, Bounds(1, max_characters=27), "too long: 28 characters"),
        (TEXT, Bounds(1, max_word_characters=8), ""),
        (TEXT, Bounds(1, max_word_characters=7), "word too long: 8 characters"),
        ("港口每逢星期一关闭请在中午之前登记", Bounds(1, max_word_characters=10), ""),
        (TEXT, Bounds(1, min_letter_share=0.75), ""),
        (TEXT, Bounds(1, min_letter_share=0.8), "hardly text: 78 % letters"),
        ("| 1 | 2 | 3 | x |", Bounds(1, min_letter_share=0.4), "hardly text: 11 % letters"),
        ("हिन्दी में लिखा हुआ एक वाक्य", Bounds(1, min_letter_share=0.99), ""),  # vowel signs
    ],
)
def test_faults_are_found(text: str, bounds: Bounds, fault: str) -> None:
    assert find_fault(text, bounds) == fault
