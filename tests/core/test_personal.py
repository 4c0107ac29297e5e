"""Personal data: masked wherever it stands, and nothing else touched."""

import random

import pytest

from tasks.core.personal import mask_personal

PERSONAL = {
    "<EMAIL>": [
        "ann@example.org",
        "a.b+tag@sub.example.co.uk",
        "jörg.müller@bücher.de",
        "ann [at] example [dot] org",
        "ann(at)example.org",
    ],
    "<PHONE>": [
        "+49 30 901820",
        "+1 (555) 123-4567",
        "0049 (0) 171 1234567",
        "(030) 90 18 20",
        "030/901820",
        "0171 1234567",
        "555-123-4567",
        "(555) 123-4567",
        "01 23 45 67 89",
    ],
    "<IBAN>": ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "NO93 8601 1117 947"],
    "<CARD>": [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "3782 822463 10005",
    ],
    "<IP>": ["10.1.2.3", "203.0.113.77", "2001:db8::8a2e:370:7334", "fe80::1ff:fe23:4567:890a"],
    "<SSN>": ["123-45-6789"],
    "<SECRET>": [
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "sk-proj-abcdefghijklmnop1234",
        "AKIAIOSFODNN7EXAMPLE",
        "xoxb-123456789012-abcdefghij",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA75\nab==\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEA75MIIEowIBAAKCAQEA75",  # cut off
    ],
}
CASES = [(kind, item) for kind, items in PERSONAL.items() for item in items]


@pytest.mark.parametrize(("kind", "item"), CASES)
@pytest.mark.parametrize(
    "around", ["{}", "Ask {}.", "({})", "see {}, or wait", "<b>{}</b>", "Zürich:\n{}\n"]
)
def test_personal_data_is_masked_and_nothing_around_it(kind: str, item: str, around: str) -> None:
    assert mask_personal(around.format(item)) == around.format(kind)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password: hunter22!", "password: <SECRET>"),
        ("API_KEY = 'abcdefgh'", "API_KEY = '<SECRET>'"),
        ('{"client_secret": "Zq8f-31kd"}', '{"client_secret": "<SECRET>"}'),
        ("Authorization: Bearer abc.def123ghi", "Authorization: Bearer <SECRET>"),
        ("postgres://ann:s3cret@db:5432/x", "postgres://ann:<SECRET>@db:5432/x"),
        ("call 901 82 00 now", "call <PHONE> now"),
        ("Tel.: 901820", "Tel.: <PHONE>"),
        ("IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFF", "IBAN <IBAN> BIC COBADEFF"),
        ("order 1234 4111 1111 1111 1111", "order 1234 <CARD>"),
    ],
)
def test_what_tells_of_it_stays(text: str, masked: str) -> None:
    assert mask_personal(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Version 3.11.7 of 2024-01-15 12:30:45, 1,234,567 rows in 0.25 s, pages 100-110.",
        "ISBN 978-3-16-148410-0, doi 10.1145/3397271.3401075, arXiv:2407.15831, RFC 2616",
        "Listens on 127.0.0.1, ::1 and 0.0.0.0 with netmask 255.255.255.0.",
        "std::vector<int>, a::b, dead::beef, @decorator, x@y, user@host, 4111 1111 1111 1112",
        "def f(token: str = None, password=password): secret_key = os.environ['NAME']",
        "DE88370400440532013000 is no account, 000-45-6789 no number.",
        "0.1 0.22 0.333 0.4444; 0.0094-0.0147 %; 10 000 000 people; 1e-10; #123456",
        "2^64 = 18446744073709551616",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert mask_personal(text) == text


@pytest.mark.parametrize("seed", range(20))
def test_nothing_personal_is_left_in_a_mixture_and_masking_twice_changes_nothing(seed: int) -> None:
    rng = random.Random(seed)
    words = ["the", "port", "is", "closed,", "call", "us;", "e-mail", "or", "write:", "(see)"]
    chosen = rng.sample(CASES, 8)
    parts = [part for _, item in chosen for part in (rng.choice(words), item, rng.choice(words))]
    masked = mask_personal(" ".join(parts))
    assert not [item for _, item in chosen if item in masked]
    assert sorted(kind for kind, _ in chosen) == sorted(
        word.strip(",.:;()") for word in masked.split() if word.startswith("<")
    )
    assert mask_personal(masked) == masked
