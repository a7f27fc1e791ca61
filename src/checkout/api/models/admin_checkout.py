"""One checkout in full, as ops see it."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from checkout.api.models.admin import ACTION, Action
from checkout.api.models.base import Answer, Money, Time
from checkout.api.models.checkouts import COMPLETED, LiveCheckout
from checkout.domain.words import Phase, State

Seconds = Annotated[float | None, Field(description="null while it lasts")]


class Visit(Answer):
    """A stay in one state."""

    state: State
    state_name: str
    at: Time
    seconds: Seconds


class PhaseShown(Answer):
    """A phase that was begun. ``outcome``: ``stopped`` is one that a cancel or the deadline ended."""

    phase: Phase
    outcome: Literal["running", "done", "failed", "stopped"]
    began_at: Time
    ended_at: Time | None
    seconds: Seconds
    waited_seconds: Annotated[float, Field(description="Of these, for the buyer or his bank, so far")]
    attempts: Annotated[int, Field(description="The most that one run of its activity took")]
    last_error: str | None


class PaymentShown(Answer):
    """A payment attempt, as the shop's books have it. Amounts in minor units."""

    id: str
    number: Annotated[int | None, Field(description="null for one that was never taken up")]
    method: str
    gateway: str
    gateway_reference: str | None
    status: str
    amount: Money | None
    currency: str | None
    authorized: Money
    captured: Money
    refunded: Money
    code: Annotated[str | None, Field(description="Why it was declined or refused, as the buyer is told")]
    message: str | None
    by_hand: Annotated[dict[str, Any] | None, Field(description="Who settled it by hand, what they did, and why")]
    gateway_code: Annotated[str | None, Field(description="The same in the gateway's words, which no buyer sees")]
    gateway_detail: str | None
    created_at: Time
    updated_at: Time


class CompensationShown(Answer):
    """What undoes a phase."""

    compensation: str
    phase: Phase
    done: bool
    done_at: Time | None
    attempts: int
    last_error: str | None
    last_error_at: Time | None
    refused: Annotated[
        bool, Field(description="For good, as it seems: it is tried again after a pause, or resolved by hand")
    ]


class Timeline(Answer):
    """How the checkout went."""

    states: list[Visit]
    phases: list[PhaseShown]
    payments: list[PaymentShown]
    compensations: list[CompensationShown]


class PendingActivity(Answer):
    """An activity that runs now, or waits for its next attempt."""

    activity: str
    attempt: Annotated[
        int,
        Field(
            description="Which attempt runs, or is the next: those before it have failed, also the one that came "
            "before as an activity of its own"
        ),
    ]
    running: Annotated[bool, Field(description="Whether an attempt runs now")]
    last_failure: str | None
    last_failure_at: Time | None
    next_try_at: Time | None
    paused: Annotated[str | None, Field(description="By whom, since when and why it was paused in Temporal")]


class Workflow(Answer):
    """The checkout's workflow. What only Temporal knows is null where it does not say, and ``note`` says why."""

    workflow_id: str
    run_id: str
    temporal_url: Annotated[str | None, Field(description="Its run in the Temporal UI; null where none is set")]
    status: Annotated[
        str | None, Field(description="running, paused, completed, failed, canceled, terminated, timed_out")
    ]
    pending_activities: list[PendingActivity] | None
    failed_tasks: Annotated[
        int | None, Field(description="More than 0: the workflow's code fails, or does not fit its history")
    ]
    untaken_since: Annotated[
        Time | None, Field(description="Since when a task of it waits for a worker; null where none does")
    ]
    paused: Annotated[str | None, Field(description="By whom, since when and why it was paused in Temporal")]
    note: str | None


class Reservation(Answer):
    """Units that the checkout holds, or held."""

    sku: str
    warehouse: str
    quantity: int
    status: str
    updated_at: Time


class Movement(Answer):
    """A change of stock that the checkout made."""

    sku: str
    warehouse: str
    kind: str
    on_hand_delta: int
    reserved_delta: int
    created_at: Time


class Unowed(Answer):
    """Money that came in and was not owed, and went back. Minor units."""

    payment_id: str
    amount: Money
    currency: str
    returned_at: Time


class RefundOfOrder(Answer):
    """A refund after the sale, see ``/admin/orders``; ``amount`` in minor units, null until it is decided."""

    id: str
    status: str
    amount: Money | None
    currency: str | None
    restock: bool
    reason: str
    requested_by: str
    failure_code: str | None
    gateway_code: str | None
    gateway_detail: str | None
    created_at: Time
    finished_at: Time | None


INSPECTED: dict[str, Any] = {
    **COMPLETED,
    "waiting_for": None,
    "closed": True,
    "stuck": False,
    "stuck_reason": None,
    "updated_at": "2026-01-31T12:00:02Z",
    "timeline": {
        "states": [
            {"state": "validating", "state_name": "Validating", "at": "2026-01-31T12:00:00Z", "seconds": 0.012},
            {"state": "completed", "state_name": "Completed", "at": "2026-01-31T12:00:02Z", "seconds": None},
        ],
        "phases": [
            {
                "phase": "payment_capture",
                "outcome": "done",
                "began_at": "2026-01-31T12:00:01Z",
                "ended_at": "2026-01-31T12:00:02Z",
                "seconds": 1.0,
                "waited_seconds": 0.0,
                "attempts": 2,
                "last_error": "gateway_unavailable: the payment gateway does not answer: 503",
            }
        ],
        "payments": [
            {
                "id": "pay_4x8pk2mvq0tz9d3h7wca",
                "number": 1,
                "method": "card",
                "gateway": "simulated",
                "gateway_reference": "gw_2m9c",
                "status": "captured",
                "amount": 5938,
                "currency": "EUR",
                "authorized": 5938,
                "captured": 5938,
                "refunded": 0,
                "code": None,
                "message": None,
                "by_hand": None,
                "gateway_code": None,
                "gateway_detail": None,
                "created_at": "2026-01-31T12:00:00Z",
                "updated_at": "2026-01-31T12:00:02Z",
            }
        ],
        "compensations": [],
    },
    "reservations": [
        {
            "sku": "CUP-ESPRESSO-2",
            "warehouse": "main",
            "quantity": 2,
            "status": "committed",
            "updated_at": "2026-01-31T12:00:02Z",
        }
    ],
    "movements": [
        {
            "sku": "CUP-ESPRESSO-2",
            "warehouse": "main",
            "kind": "committed",
            "on_hand_delta": -2,
            "reserved_delta": -2,
            "created_at": "2026-01-31T12:00:02Z",
        }
    ],
    "unowed": [],
    "refunds": [],
    "actions": [ACTION],
    "workflow": {
        "workflow_id": "checkout-cart_4x8pk2mvq0tz9d3h7wca",
        "run_id": "0198f0c2-2b6c-7a51-9d3c-3a5d3f1b8a10",
        "temporal_url": None,
        "status": "completed",
        "pending_activities": [],
        "failed_tasks": 0,
        "untaken_since": None,
        "paused": None,
        "note": None,
    },
}


class InspectedCheckout(LiveCheckout):
    """A checkout as its buyer sees it, and all that is behind it."""

    model_config = ConfigDict(json_schema_extra={"examples": [INSPECTED]})

    closed: Annotated[bool, Field(description="Whether it has ended, so that nothing more can be done about it")]
    stuck: bool
    stuck_reason: str | None
    updated_at: Time | None
    timeline: Timeline
    reservations: list[Reservation]
    movements: list[Movement]
    unowed: list[Unowed]
    refunds: list[RefundOfOrder]
    actions: Annotated[list[Action], Field(description="What admins did about it, newest first")]
    workflow: Workflow
