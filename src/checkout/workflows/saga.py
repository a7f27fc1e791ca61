"""The compensations of the phases that were begun, and how they are run."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from checkout.domain.contract import (
    COMPENSATION_OF,
    REFUND_PAYMENT,
    SETTLE_BY_HAND,
    UNLOCK_CART,
    VOID_PAYMENT,
    ActivityContract,
)
from checkout.domain.errors import CHECKOUT_COMPLETED
from checkout.domain.messages import ByHandInput, Compensated, CompensationInput, ResolveRequest
from checkout.domain.progress import NOT_REFUSED, Refusal
from checkout.domain.words import Phase
from checkout.workflows.failures import definite, sentence
from checkout.workflows.policies import UNDO_DATABASE, UNDO_GATEWAY, Policy, execute

Compensation = ActivityContract[CompensationInput, Compensated]

_AT_GATEWAY = (VOID_PAYMENT, REFUND_PAYMENT)


class AlreadyCompleted(Exception):
    """There is nothing to undo: the database says that the checkout is completed."""


@dataclass
class Saga:
    """Registers a phase's compensation before the phase runs, and undoes what was begun.

    Before, because an attempt may have its effect and lose its answer. Compensations are regular activities, never
    local; each is idempotent and is retried until it succeeds, so that one which cannot keeps the workflow open and
    shows in the UI.
    """

    #: Told what runs now, and the last failure of it.
    on_change: Callable[[list[str], str | None], None]
    on_result: Callable[[Compensated], None]
    #: Before a compensation is tried again that was refused as if for good.
    pause: timedelta
    #: Those that wait for that, with what was said.
    refused: dict[str, str] = field(default_factory=dict)
    _registered: list[Compensation] = field(default_factory=list)
    _running: list[str] = field(default_factory=list)
    _by_hand: dict[str, ResolveRequest] = field(default_factory=dict)
    _hurried: set[str] = field(default_factory=set)

    def register(self, phase: Phase) -> None:
        """The phase is about to run: from now on it has to be undone. Once for each phase."""
        compensation = COMPENSATION_OF[phase]
        if compensation not in self._registered:
            self._registered.append(compensation)

    async def undo(self, argument: CompensationInput) -> None:
        """Runs what was registered in reverse order, the gateway's beside the database's, and unlocks the cart last.

        A gateway that does not answer holds up only the unlocking, not the release of stock and coupon.
        Raises AlreadyCompleted.
        """
        backwards = [one for one in reversed(self._registered) if one != UNLOCK_CART]
        # Neither side is left running behind the other's verdict.
        verdicts = await asyncio.gather(
            self._undo_each([one for one in backwards if one not in _AT_GATEWAY], argument, UNDO_DATABASE),
            self._undo_each([one for one in backwards if one in _AT_GATEWAY], argument, UNDO_GATEWAY),
            return_exceptions=True,
        )
        for verdict in verdicts:
            if verdict is not None:
                raise verdict
        await self._undo_each([UNLOCK_CART], argument, UNDO_DATABASE)

    def retry_now(self) -> None:
        """Have what was refused be tried again without waiting for the end of the pause."""
        self._hurried.update(self.refused)

    def refuses_resolve(self, request: ResolveRequest) -> Refusal | None:
        """Why a compensation is not taken for done by hand, or None: only one that the gateway refuses is."""
        if request.compensation not in {one.name for one in _AT_GATEWAY}:
            return Refusal(NOT_REFUSED, "only void_payment and refund_payment can be done by hand, at the gateway")
        if request.compensation not in self.refused:
            return Refusal(NOT_REFUSED, f"the gateway does not refuse {request.compensation} now")
        return None

    async def resolve(self, request: ResolveRequest) -> None:
        """Take a compensation for done because people did it by hand; returns once it is."""
        self._by_hand[request.compensation] = request
        await workflow.wait_condition(lambda: request.compensation not in self.refused)

    async def _undo_each(self, compensations: list[Compensation], argument: CompensationInput, policy: Policy) -> None:
        for compensation in compensations:
            self._running.append(compensation.name)
            self._tell()
            await self._until_done(compensation, argument, policy)
            self._running.remove(compensation.name)
            self._tell()

    def _tell(self) -> None:
        """Both sides run at once: what one of them does never hides that the other is refused."""
        trouble = "; ".join(f"{name}: {said}" for name, said in self.refused.items())
        self.on_change(self._running, trouble or None)

    async def _until_done(self, compensation: Compensation, argument: CompensationInput, policy: Policy) -> None:
        while True:
            try:
                result = await execute(compensation, argument, policy)
            except ActivityError as error:
                verdict = definite(error)
                if verdict is not None and verdict.type == CHECKOUT_COMPLETED:
                    raise AlreadyCompleted from error
                # Compensations have no definite failure. One that claims to (a defect, or a gateway that refuses for
                # good) is not given up: people see it here, mend the cause, and it goes on.
                self.refused[compensation.name] = sentence(error)
                self._tell()
                settled = await self._pause_or_settle(compensation, argument)
                if settled is None:
                    continue
                result = settled
            self.refused.pop(compensation.name, None)
            self.on_result(result)
            return

    async def _pause_or_settle(self, compensation: Compensation, argument: CompensationInput) -> Compensated | None:
        """Wait before the next try; gives a result where people did by hand what it was to do."""
        name = compensation.name
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: name in self._by_hand or name in self._hurried,
                timeout=self.pause,
                timeout_summary=f"Next try of {name}",
            )
        self._hurried.discard(name)
        request = self._by_hand.pop(name, None)
        if request is None:
            return None
        by_hand = ByHandInput(argument, request)
        return await execute(SETTLE_BY_HAND, by_hand, UNDO_DATABASE, summary=f"{SETTLE_BY_HAND.summary}: {name}")
