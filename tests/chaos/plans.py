"""What happens in one run, in which order: made from a seed, so that it can be printed and made again.

A run has what leads to an order by its method (pay, approve or transfer, confirm), in order or shuffled, and between
it whatever else buyers, gateways, webhooks, workers and the clock may do.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from checkout.domain import contract
from checkout.domain.contract import ActivityContract

CARD, SECURE, PAYPAL, TRANSFER = "tok_visa", "tok_3ds", "paypal", "bank_transfer"
METHODS = (CARD, SECURE, PAYPAL, TRANSFER)
#: What another payment may be made with.
OTHERS = (*METHODS, "tok_chargeDeclined", "tok_3dsInsufficientFunds", "tok_captureFails", "tok_processingError")
#: Calls of the gateway that may fail, or lose their answers: those that every order needs as often as all others.
CALLS = ("confirm", "capture", "fetch", *["confirm", "capture"] * 2, "create", "cancel", "refund", "return", "*")

#: Activities of which an attempt may lose its answer, or wake up late.
DISTURBED: dict[str, ActivityContract[Any, Any]] = {
    one.name: one
    for one in (
        *(contract.PAYMENT_AUTHORIZATION, contract.PAYMENT_CHECK, contract.FUNDS_CHECK, contract.ORDER_CREATION),
        *(contract.PAYMENT_CAPTURE, contract.STOCK_COMMIT, contract.VOID_PAYMENT, contract.REFUND_PAYMENT),
        *(contract.RELEASE_STOCK, contract.UNLOCK_CART, contract.RETURN_UNOWED, contract.RECORD_EXTENSION),
    )
}
#: By which each method comes to its money.
_PAYING = {
    CARD: (contract.PAYMENT_AUTHORIZATION, contract.PAYMENT_CAPTURE),
    SECURE: (contract.PAYMENT_AUTHORIZATION, contract.PAYMENT_CHECK, contract.PAYMENT_CAPTURE),
    PAYPAL: (contract.PAYMENT_AUTHORIZATION, contract.PAYMENT_CHECK, contract.PAYMENT_CAPTURE),
    TRANSFER: (contract.PAYMENT_AUTHORIZATION, contract.FUNDS_CHECK, contract.PAYMENT_CAPTURE),
}


@dataclass(frozen=True)
class Step:
    """One thing that happens: a method of ``Acting``, with what it is given."""

    what: str
    how: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.what}({', '.join(f'{name}={value}' for name, value in self.how.items())})"


@dataclass(frozen=True)
class Plan:
    """A run. The steps of one moment happen at once; ``after`` is for when the checkout has ended.

    Attempts that still sleep at the end wake up before it, or (``wakes_late``) after it.
    """

    seed: int
    method: str
    express: bool
    moments: Sequence[Sequence[Step]]
    after: Sequence[Step]
    wakes_late: bool

    def __str__(self) -> str:
        begins = f"start({'paid at once with ' + self.method if self.express else ''})"
        moments = [" | ".join(map(str, moment)) for moment in self.moments]
        end = "end()" if self.wakes_late else "wake(), end()"
        return "\n".join(f"  {line}" for line in (begins, *moments, end, *map(str, self.after)))


def plan(seed: int) -> Plan:
    """The run of a seed; the methods take turns."""
    chance = random.Random(seed)
    method = METHODS[seed % len(METHODS)]
    if chance.random() < 0.12:
        return Plan(seed, method, express=False, moments=_deserted(method, chance), after=(), wakes_late=True)
    express = chance.random() < 0.4
    steps = ([] if express else [Step("pay", {"token": method})]) + _way(method, chance)
    if chance.random() < 0.3:
        chance.shuffle(steps)
    for _ in range(chance.randint(1, 6)):
        steps.insert(chance.randint(0, len(steps)), _disturbance(method, chance))
    if chance.random() < 0.1:  # before the payment, or it would seldom meet one
        operation = chance.choice(["confirm", "capture"])
        steps.insert(0, Step("fault", {"operation": operation, "fault": "short", "count": 1}))
    moments: list[list[Step]] = []
    for step in steps:
        # The clock is moved once at a time.
        if moments and chance.random() < 0.3 and step.what != "to_deadline":
            moments[-1].append(step)
        else:
            moments.append([step])
    return Plan(seed, method, express, moments, _after(method, chance), wakes_late=chance.random() < 0.5)


def _deserted(method: str, chance: random.Random) -> list[list[Step]]:
    """An attempt stands still in a call of the gateway, the checkout is cancelled, and then the attempt goes on."""
    first, *looks, _capture = _PAYING[method]
    activity = chance.choice([first, *looks])
    calls = [1, 2, 2] if activity is first else [1]
    how = {"activity": activity.name, "call": chance.choice(calls), "when": chance.choice(["before", "after", "after"])}
    stuck, pay, cancel = Step("stuck_attempt", how), Step("pay", {"token": method}), Step("cancel", {"by": "ops"})
    steps = [stuck, pay, cancel] if activity is first else [pay, stuck, *_way(method, chance)[:1], cancel]
    return [[step] for step in steps]


def _way(method: str, chance: random.Random) -> list[Step]:
    """What the buyer, or his bank, does for an order."""
    if method == CARD:
        return []
    if method == TRANSFER:
        if chance.random() < 0.5:
            return [Step("transfer", {"share": chance.choice([1.0, 1.0, 1.3])})]
        return [Step("transfer", {"share": 0.4}), Step("transfer", {"share": chance.choice([0.3, 0.6, 0.9])})]
    way = [Step("act", {"outcome": "approve"})]
    return [*way, Step("confirm")] if chance.random() < 0.5 else way


def _disturbance(method: str, chance: random.Random) -> Step:
    buyer: list[Callable[[], Step]] = [
        lambda: Step("cancel", {"by": chance.choice(["buyer", "ops"])}),
        lambda: Step("extend", {"seconds": chance.choice([60, 600, 3000])}),
        lambda: Step("confirm"),
        lambda: Step("pay", {"token": chance.choice(OTHERS)}),
        lambda: Step("pay", {"token": method}),
        lambda: Step("pay_twice", {"token": method}),
        lambda: Step("to_deadline", {"seconds": chance.choice([-30, -1, -0.2, 0.2, 1])}),
        lambda: Step("to_deadline", {"seconds": 30}),
    ]
    if method in {SECURE, PAYPAL}:
        buyer += [lambda: Step("act", {"outcome": chance.choice(["approve", "deny"])})] * 3
    if method == TRANSFER:
        buyer += [lambda: Step("transfer", {"share": chance.choice([0.2, 0.6, 1.0, 1.5])})] * 2
    gateway: list[Callable[[], Step]] = [
        lambda: Step("fault", {"operation": chance.choice(CALLS), "fault": "error", "count": chance.randint(1, 3)}),
        lambda: Step("fault", {"operation": "*", "fault": "error", "count": 12}),  # down for a while
        lambda: Step("fault", {"operation": chance.choice(CALLS), "fault": "lost", "count": 1}),
        lambda: Step("fault", {"operation": chance.choice(CALLS), "fault": "latency", "count": 2, "seconds": 0.3}),
        lambda: Step("fault", {"operation": "webhook", "fault": "drop", "count": chance.randint(1, 3)}),
        lambda: Step("fault", {"operation": "webhook", "fault": "repeat", "count": 3, "times": 2}),
        lambda: Step("fault", {"operation": "webhook", "fault": "disorder", "count": 3, "seconds": 0.4}),
        lambda: Step("fault", {"operation": "webhook", "fault": "delay", "count": 1, "seconds": 0.6}),
    ]
    paying = [one.name for one in _PAYING[method]]
    worker: list[Callable[[], Step]] = [
        lambda: Step("loses_answer", {"activity": chance.choice(list(DISTURBED))}),
        lambda: Step("loses_answer", {"activity": chance.choice(paying)}),
        lambda: Step("late_attempt", {"activity": chance.choice(list(DISTURBED))}),
        lambda: Step("late_attempt", {"activity": chance.choice(paying)}),
        lambda: Step(
            "stuck_attempt",
            {
                "activity": chance.choice(paying),
                "call": chance.choice([1, 1, 2]),
                "when": chance.choice(["before", "after", "after"]),
            },
        ),
        lambda: Step("wake"),
    ]
    return chance.choice(chance.choices([buyer, gateway, worker], [6, 4, 3])[0])()


def _after(method: str, chance: random.Random) -> list[Step]:
    """Things that come too late: they must change nothing, or go back."""
    if method == TRANSFER:
        late = [Step("transfer", {"share": chance.choice([0.1, 1.0])})]
    elif method != CARD:
        late = [Step("act", {"outcome": chance.choice(["approve", "deny"])})]
    else:
        late = [Step("confirm")]
    return late if chance.random() < 0.4 else []
