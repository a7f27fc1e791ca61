"""Faults on demand: what the gateway does wrong when it is told to, for tests and for those who try a shop out.

They live in the process's memory: a gateway that starts anew behaves.
"""

import random
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from checkout.payments.simulated.messages import Body

#: What a fault may be put on: the calls of a shop, and the webhooks to it. ``*`` is every call.
OPERATIONS = ("create", "confirm", "capture", "cancel", "refund", "return", "fetch", "list")

Kind = Literal["latency", "error", "lost", "short", "delay", "repeat", "disorder", "drop"]
_OF_CALLS = {"latency", "error", "lost", "short"}
#: What moves an amount that may come out too small.
_OF_AMOUNTS = {"confirm", "capture", "*"}


class FaultBody(Body):
    """``POST /faults``: one fault.

    On calls: ``latency`` waits ``seconds`` before anything is done; ``error`` answers 503 and does nothing; ``lost``
    does it and cuts the answer off; ``short`` (on ``confirm`` and ``capture``) authorizes or captures one minor unit
    less than it was asked for. On ``webhook``: ``delay`` sends it ``seconds`` later; ``disorder`` a random time
    later, ``seconds`` at most; ``repeat`` sends it ``times`` in all; ``drop`` sends nothing and takes it for sent.
    It strikes with ``probability`` each time, ``count`` times at most (without end by default).
    """

    operation: Literal["create", "confirm", "capture", "cancel", "refund", "return", "fetch", "list", "webhook", "*"]
    fault: Kind
    probability: Annotated[float, Field(gt=0, le=1, strict=False)] = 1.0
    count: Annotated[int, Field(ge=1, le=10**9)] | None = None
    seconds: Annotated[float, Field(ge=0, le=600, strict=False)] = 1.0
    times: Annotated[int, Field(ge=2, le=100)] = 2

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.fault in _OF_CALLS) == (self.operation == "webhook"):
            raise ValueError(f"{self.fault} is no fault of {'webhooks' if self.operation == 'webhook' else 'calls'}")
        if self.fault == "short" and self.operation not in _OF_AMOUNTS:
            raise ValueError(f"{self.operation} moves no amount that could be short")
        return self


@dataclass
class _Active:
    body: FaultBody
    left: int | None


class Faults:
    """The faults that are on, in the order in which they were put on."""

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self._chance = random.Random()  # noqa: S311 - what goes wrong is no secret

    def add(self, body: FaultBody) -> None:
        """Put one on."""
        self._active.append(_Active(body, body.count))

    def clear(self) -> None:
        """Behave again."""
        self._active.clear()

    def strike(self, operation: str, *kinds: Kind) -> dict[Kind, FaultBody]:
        """What of these kinds strikes this call, or this webhook; each counts as used."""
        struck: dict[Kind, FaultBody] = {}
        for active in self._active:
            body = active.body
            meant = body.operation == operation or (body.operation == "*" and operation != "webhook")
            if not meant or body.fault not in kinds or body.fault in struck:
                continue
            if self._chance.random() >= body.probability:
                continue
            struck[body.fault] = body
            if active.left is not None:
                active.left -= 1
        self._active = [active for active in self._active if active.left != 0]
        return struck

    def lateness(self) -> float | None:
        """Seconds by which a webhook is sent later, where a fault wants it."""
        struck = self.strike("webhook", "delay", "disorder")
        if delay := struck.get("delay"):
            return delay.seconds
        if disorder := struck.get("disorder"):
            return self._chance.uniform(0, disorder.seconds)
        return None

    def document(self) -> dict[str, Any]:
        """``GET /faults``: what is on; ``count`` is how often it will still strike."""
        return {"items": [active.body.model_dump() | {"count": active.left} for active in self._active]}
