"""What a request may carry, without a server."""

import pytest

from checkout.api.bodies import MAX_DEPTH, check, parse
from checkout.api.card_numbers import looks_like_card_number
from checkout.api.problems import Problem


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'a': 1}",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'"\xff"',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 50_000 + b"]" * 50_000,
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        check(parse(body))
    assert refused.value.code == "malformed_json"
    assert refused.value.status == 400


def test_depth_is_bounded() -> None:
    check(parse(b"[" * MAX_DEPTH + b'"x"' + b"]" * MAX_DEPTH))
    with pytest.raises(Problem):
        check(parse(b"[" * (MAX_DEPTH + 1) + b'"x"' + b"]" * (MAX_DEPTH + 1)))


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800"])
def test_characters_that_cannot_be_stored_are_refused_by_field(text: str) -> None:
    with pytest.raises(Problem) as refused:
        check(parse(f'{{"shipping": {{"name": "{text}"}}}}'.encode()))
    assert refused.value.code == "validation_failed"
    assert [error["field"] for error in refused.value.members["errors"]] == ["shipping.name"]


@pytest.mark.parametrize("digits", ["1" * 20, "-" + "9" * 20, "1" * 5000])
def test_numbers_longer_than_any_of_ours_are_refused_by_field(digits: str) -> None:
    with pytest.raises(Problem) as refused:
        check(parse(f'{{"payment": {{"amount": {digits}}}, "quantity": {digits}}}'.encode()))
    assert (refused.value.code, refused.value.status) == ("validation_failed", 422)
    assert [error["field"] for error in refused.value.members["errors"]] == ["payment.amount", "quantity"]


def test_numbers_that_fit_64_bits_pass() -> None:
    check(parse(f'{{"quantity": {2**63 - 1}, "total": {-(2**63)}}}'.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "3782-822463-10005",
        "card: 5555555555554444, 12/30",
        # What stands beside it.
        "4242 4242 4242 4242 12/29",
        "4242424242424242 123",
        "order 12 4242424242424242",
        "pan=4242424242424242;cvc=1",
        # What people, word processors and tables put between.
        "4242  4242  4242  4242",
        "4242.4242.4242.4242",
        "4242_4242_4242_4242",
        "4242 / 4242 / 4242 / 4242",
        "4242\u00a04242\u00a04242\u00a04242",
        "4242\u20134242\u20134242\u20134242",
        "4242\n4242\n4242\n4242",
        "4000\t0000\t0000\t0000\t006",
        "3056 930902 5904",
        "4222 222 222 222",
        "\uff14242424242424242",
    ],
)
def test_card_numbers_are_refused(text: str) -> None:
    assert looks_like_card_number(text)
    with pytest.raises(Problem) as refused:
        check({"payment": {"token": text}})
    assert refused.value.code == "card_number_refused"
    assert text not in str(refused.value.response().body)


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",
        "tok_4242424242424242",
        "42424242",
        "2026-11-29",
        "",
        # The check digit of each is a card's: an article, dates, orders, amounts, a number too long for a card.
        "4000000000006",
        "2026-11-30 2026-12-09",
        "ORD-2026-000123 2026-0004",
        "10 20 30 40 50 60 9",
        "0" * 20,
    ],
)
def test_what_is_no_card_number_passes(text: str) -> None:
    assert not looks_like_card_number(text)
