"""What is wrong with one checkout, or with the whole shop, and what ops can do about it."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from checkout.api.models.admin import LISTED, ListedCheckout
from checkout.api.models.admin_checkout import INSPECTED, InspectedCheckout
from checkout.api.models.base import Answer, Money
from checkout.api.models.statistics import Reason
from checkout.domain.words import Role, State


class Me(Answer):
    """The admin who asks, as the log names him."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "ada", "role": "operator"}]})

    name: str
    role: Role


class Finding(Answer):
    """Something that is not as it should be: a code, what it is, and what to do about it."""

    code: str
    detail: str
    remedy: str


class AtGateway(Answer):
    """A payment attempt as the gateway has it. Amounts in minor units, null unless it is ``known`` there."""

    attempt_id: str
    payment_id: str
    answer: Annotated[
        Literal["known", "unknown", "away", "not_asked"], Field(description="What came of the question; see `note`")
    ]
    status: str | None = None
    currency: str | None = None
    amount: Money | None = None
    authorized: Money | None = None
    captured: Money | None = None
    refunded: Money | None = None
    voided: Money | None = None
    note: Annotated[str | None, Field(description="Why there are no amounts")] = None


class OtherCheckout(Answer):
    """Another checkout of the same cart."""

    id: str
    state: State


STUCK: dict[str, Any] = {
    "code": "activity_failing",
    "detail": "payment_capture has failed 7 times, the last time with: gateway_unavailable: the payment gateway does "
    "not answer.",
    "remedy": "See that the payment gateway answers and takes the shop's key; what failed goes on by itself, and at "
    "once by `checkout retry chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy`.",
}


class Diagnosis(Answer):
    """A checkout in full, its payments as the gateway has them, and all that is wrong with it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "well": False,
                    "findings": [STUCK],
                    "gateway": [
                        {
                            "attempt_id": "pay_4x8pk2mvq0tz9d3h7wca",
                            "payment_id": "gw_2m9c",
                            "answer": "known",
                            "status": "authorized",
                            "currency": "EUR",
                            "amount": 5938,
                            "authorized": 5938,
                            "captured": 0,
                            "refunded": 0,
                            "voided": 0,
                            "note": None,
                        }
                    ],
                    "others": [],
                    "checkout": INSPECTED,
                }
            ]
        }
    )

    well: Annotated[bool, Field(description="Whether there is no finding")]
    findings: list[Finding]
    gateway: list[AtGateway]
    others: Annotated[list[OtherCheckout], Field(description="Other checkouts of its cart, newest first, 20 at most")]
    checkout: InspectedCheckout


class SystemDiagnosis(Answer):
    """The shop as a whole: as `/health/checkout` sees it, the payment gateway asked as well, and what is stuck."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "healthy", "reasons": [], "stuck": []},
                {
                    "status": "degraded",
                    "reasons": [
                        {
                            "code": "stuck",
                            "level": "degraded",
                            "detail": "Not gone on for more than 1800 s: 1.",
                            "remedy": "`checkout list --stuck` names them, `checkout diagnose ID` says why.",
                            "count": 1,
                        }
                    ],
                    "stuck": [LISTED],
                },
            ]
        }
    )

    status: Literal["healthy", "degraded", "unhealthy"]
    reasons: list[Reason]
    stuck: Annotated[
        list[ListedCheckout] | None, Field(description="The newest, 20 at most; null where the database is away")
    ]
