"""The signature of the gateway's events: what is taken, what is not, and for how long."""

import hashlib
import hmac
import json

import pytest

from checkout.payments.events import TOLERANCE, BadSignature
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.simulated.signature import HEADER, sign, verify

SECRET, BODY, NOW = "whsec", b'{"id":"evt_1"}', 1_800_000_000


def test_the_header_is_what_the_docs_say() -> None:
    digest = hmac.new(b"whsec", b'1800000000.{"id":"evt_1"}', hashlib.sha256).hexdigest()
    assert sign(SECRET, BODY, NOW) == f"t=1800000000,v1={digest}"


@pytest.mark.parametrize("late", [-TOLERANCE, 0, TOLERANCE])
def test_it_is_taken_within_the_tolerance(late: int) -> None:
    verify(SECRET, BODY, sign(SECRET, BODY, NOW), now=NOW + late)


@pytest.mark.parametrize("late", [-TOLERANCE - 1, TOLERANCE + 1, 86_400])
def test_a_stale_one_is_not(late: int) -> None:
    with pytest.raises(BadSignature, match="away from now"):
        verify(SECRET, BODY, sign(SECRET, BODY, NOW), now=NOW + late)


def test_any_of_several_signatures_will_do() -> None:
    right = sign(SECRET, BODY, NOW).partition(",")[2]
    verify(SECRET, BODY, f"t={NOW}, v1={'0' * 64}, {right}, v0=old", now=NOW)


def test_another_secret_signs_nothing() -> None:
    with pytest.raises(BadSignature, match="not right"):
        verify("another", BODY, sign(SECRET, BODY, NOW), now=NOW)


def test_a_time_moved_on_by_hand_is_no_signature_of_it() -> None:
    replayed = sign(SECRET, BODY, NOW - 86_400).replace(f"t={NOW - 86_400}", f"t={NOW}")
    with pytest.raises(BadSignature, match="not right"):
        verify(SECRET, BODY, replayed, now=NOW)


def gateway(secret: str | None = SECRET) -> SimulatedGateway:
    return SimulatedGateway("http://nowhere.invalid", "key", webhook_secret=secret)


def test_an_event_that_concerns_no_payment() -> None:
    body = json.dumps({"id": "evt_1", "type": "account.updated", "created": "2026-01-31T12:00:00+01:00"}).encode()
    event = gateway().parse_event({HEADER.upper(): sign(SECRET, body)}, body)
    assert (event.payment_id, event.type, event.created.isoformat()) == (
        None,
        "account.updated",
        "2026-01-31T11:00:00+00:00",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"\xff",
        b'{"id": "evt_1", "type": "t", "created": "yesterday"}',
        b'{"id": "evt_1", "type": "t", "created": 5}',
        b'{"id": "evt_1", "type": "t", "created": "2026-01-31T12:00:00Z", "payment": {}}',
        b'{"id": "evt_1", "type": "t", "created": "2026-01-31T12:00:00Z", "payment": "gw_1"}',
    ],
)
def test_what_is_signed_and_no_event_is_none(body: bytes) -> None:
    with pytest.raises(BadSignature, match="no event"):
        gateway().parse_event({HEADER: sign(SECRET, body)}, body)


def test_without_a_secret_nothing_is_an_event() -> None:
    with pytest.raises(BadSignature, match="no secret"):
        gateway(None).parse_event({HEADER: sign("", BODY)}, BODY)
