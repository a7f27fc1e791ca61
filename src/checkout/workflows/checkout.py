"""The checkout: one workflow that takes a cart through seven phases, or gives everything back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.contract import ActivityContract
from checkout.domain.errors import Failure
from checkout.domain.progress import CHECKOUT_CLOSING, Progress, Refusal, rfc3339
from checkout.domain.words import CANCELLABLE, FENCED, Outcome, State
from checkout.workflows import inputs
from checkout.workflows.cancellation import uninterrupted
from checkout.workflows.deadline import wait_until
from checkout.workflows.details import Journal
from checkout.workflows.failures import (
    DeadlineReached,
    Interrupted,
    Stop,
    definite,
    ending_of,
    failure_of,
    refuse,
)
from checkout.workflows.phases import run_local_first, run_regular
from checkout.workflows.policies import DATABASE, GATEWAY
from checkout.workflows.saga import AlreadyCompleted, Saga

In = TypeVar("In")
Out = TypeVar("Out")


@workflow.defn(name=contract.CHECKOUT_WORKFLOW)
class Checkout:
    """One attempt to turn a cart into an order.

    It ends completed, or failed, expired or cancelled with everything given back; there is no third way.
    """

    @workflow.init
    def __init__(self, checkout: m.CheckoutInput) -> None:
        """State is set up here: updates and queries may be handled before ``run`` begins."""
        self._checkout = checkout
        self._progress = Progress(checkout, locked_at=workflow.info().workflow_start_time)
        self._journal = Journal(self._progress)
        self._saga = Saga(
            on_change=self._journal.undoing,
            on_result=self._progress.saw,
            pause=timedelta(seconds=checkout.limits.refused_compensation_pause),
        )
        self._cancel: m.CancelRequest | None = None
        self._canceled_in_temporal = False

    @workflow.run
    @uninterrupted
    async def run(self, _checkout: m.CheckoutInput) -> m.CheckoutResult:
        """The seven phases in their order; what ends them early is undone by the compensations of those begun.

        Raises an ApplicationError whose type is the failure's code when the checkout failed.
        """
        try:
            await self._validate_cart()  # 1. cart_validation
            await self._reserve_stock()  # 2. inventory_reservation
            await self._lock_prices()  # 3. price_lock
            await self._authorize_payment()  # 4. payment_authorization, once the buyer pays
            await self._create_order()  # 5. order_creation
            await self._capture_payment()  # 6. payment_capture
            await self._commit_stock()  # 7. stock_commit
            outcome = Outcome.COMPLETED
        except Stop as stop:
            outcome = await self._give_back(stop)
        return await self._end(outcome)

    # -- the phases ----------------------------------------------------------------------------------------------

    async def _validate_cart(self) -> None:
        progress = self._progress
        with self._phase(State.VALIDATING):
            argument = inputs.cart_validation(progress)
            progress.saw(await self._on_database(contract.CART_VALIDATION, argument, until=progress.deadline))

    async def _reserve_stock(self) -> None:
        progress = self._progress
        with self._phase(State.RESERVING):
            argument = inputs.which(progress)
            progress.saw(await self._on_database(contract.INVENTORY_RESERVATION, argument, until=progress.deadline))

    async def _lock_prices(self) -> None:
        progress = self._progress
        with self._phase(State.LOCKING_PRICES):
            argument = inputs.price_lock(progress)
            progress.priced(await self._on_database(contract.PRICE_LOCK, argument, until=progress.deadline))

    async def _authorize_payment(self) -> None:
        """Waits for the buyer until the deadline; a declined attempt leaves the next one."""
        if self._progress.free:
            return
        if self._checkout.attempt_id is not None:
            self._progress.payment = m.PayRequest(self._checkout.attempt_id)
        limit = self._checkout.limits.payment_auth_timeout
        while True:
            payment = await self._next_payment()
            with self._phase(State.AUTHORIZING):
                argument = inputs.authorization(self._progress, payment)
                # In flight at the deadline it is let finish, within its own timeout.
                result = await self._at_gateway(contract.PAYMENT_AUTHORIZATION, argument, limit)
            self._progress.attempted(result)
            if result.authorized:
                return
            if result.attempts_left <= 0:
                raise Stop(
                    Outcome.FAILED, result.declined or self._failure("payment_declined", "the card was declined")
                )
            self._progress.payment = None

    async def _create_order(self) -> None:
        with self._phase(State.CREATING_ORDER):
            argument = inputs.order_creation(self._progress)
            self._progress.ordered(await self._on_database(contract.ORDER_CREATION, argument))

    async def _capture_payment(self) -> None:
        if self._progress.free:
            return
        limit = self._checkout.limits.payment_capture_timeout
        with self._phase(State.CAPTURING):
            argument = inputs.which(self._progress)
            self._progress.saw(await self._at_gateway(contract.PAYMENT_CAPTURE, argument, limit))

    async def _commit_stock(self) -> None:
        with self._phase(State.COMMITTING):
            self._progress.saw(await self._on_database(contract.STOCK_COMMIT, inputs.which(self._progress)))

    # -- the ways out --------------------------------------------------------------------------------------------

    async def _give_back(self, stop: Stop) -> Outcome:
        """Undoes what was begun; only then does the checkout count as ended."""
        self._progress.ending(stop.outcome, stop.failure, workflow.now())
        self._journal.publish()
        try:
            await self._saga.undo(inputs.compensation(self._progress, stop))
        except AlreadyCompleted:
            self._progress.failure = None
            return Outcome.COMPLETED
        return stop.outcome

    async def _end(self, outcome: Outcome) -> m.CheckoutResult:
        self._progress.closed(outcome, workflow.now())
        self._journal.publish()
        # An update that was accepted and is not answered would be lost with the workflow.
        await workflow.wait_condition(workflow.all_handlers_finished)
        if outcome is Outcome.FAILED and self._progress.failure is not None:
            raise ending_of(self._progress.failure)
        if outcome is Outcome.CANCELLED and self._canceled_in_temporal:
            raise asyncio.CancelledError("canceled in Temporal; everything is given back")
        return m.CheckoutResult(self._checkout.checkout_id, outcome, self._progress.order_reference)

    # -- what may be asked of it ---------------------------------------------------------------------------------

    @workflow.update(name=contract.START)
    async def start(self, request: m.StartRequest) -> m.CheckoutView:  # noqa: ARG002 - the validator reads it
        """Answers once the prices are locked (or, paid at once, with what came of it), or everything is given back."""
        if self._progress.opening:
            await workflow.wait_condition(lambda: self._progress.at_rest)
        return self._progress.view()

    @start.validator
    def _may_start(self, request: m.StartRequest) -> None:
        refuse(self._progress.refuses_start(request))

    @workflow.update(name=contract.PAY)
    async def pay(self, request: m.PayRequest) -> m.CheckoutView:
        """Answers with what came of it: completed, declined with attempts left, or failed and everything given back."""
        self._progress.payment = request
        await workflow.wait_condition(lambda: self._progress.at_rest)
        return self._progress.view()

    @pay.validator
    def _may_pay(self, request: m.PayRequest) -> None:
        refuse(self._progress.refuses_pay(request, workflow.now()))

    @workflow.update(name=contract.EXTEND)
    async def extend(self, request: m.ExtendRequest) -> m.CheckoutView:
        """Moves the deadline, and answers once the checkout's row has it."""
        deadline = self._progress.extension(request, workflow.now())
        if deadline > self._progress.deadline:
            self._progress.deadline = deadline
            self._journal.publish()
            await self._record()
        return self._progress.view()

    @extend.validator
    def _may_extend(self, request: m.ExtendRequest) -> None:  # noqa: ARG002 - same names as its update
        refuse(self._progress.refuses_extend(workflow.now()))

    @workflow.update(name=contract.CANCEL)
    async def cancel(self, request: m.CancelRequest) -> m.CheckoutView:
        """Answers once everything is given back; repeated, with the same."""
        if self._cancel is None and self._progress.state in CANCELLABLE:
            self._cancel = request
            self._journal.note(f"cancelled by {request.by}" + (f": {request.reason}" if request.reason else ""))
        await workflow.wait_condition(lambda: self._progress.state.closed)
        return self._progress.view()

    @cancel.validator
    def _may_cancel(self, request: m.CancelRequest) -> None:  # noqa: ARG002 - same names as its update
        refuse(self._progress.refuses_cancel())

    @workflow.query(name=contract.VIEW)
    def view(self) -> m.CheckoutView:
        """The checkout as its workflow sees it."""
        return self._progress.view()

    def cancel_requested(self) -> None:
        """A Cancel from Temporal: until order creation begins the same as the update, later only noted."""
        if self._progress.state not in CANCELLABLE:
            self._journal.note(
                f"a Cancel from Temporal was ignored: the checkout was {self._progress.state.label.lower()}"
            )
        elif self._cancel is None:
            self._cancel = m.CancelRequest(by="temporal")
            self._canceled_in_temporal = True
            self._journal.note("canceled in Temporal")

    # -- how it is done ------------------------------------------------------------------------------------------

    @contextmanager
    def _phase(self, state: State) -> Iterator[None]:
        """Around a phase: a cancel that came before it, its compensation, its state, and what its failure means."""
        self._stop_if_cancelled()
        phase = state.phase
        assert phase is not None  # noqa: S101 - states without a phase are none that a phase runs in
        self._saga.register(phase)
        self._journal.enter(state)
        try:
            yield
        except FailureError as error:
            verdict = definite(error)
            if verdict is None:
                raise
            raise Stop(Outcome.FAILED, failure_of(verdict, phase, rfc3339(workflow.now()))) from error
        except Interrupted as error:
            raise Stop(Outcome.CANCELLED) from error
        except DeadlineReached as error:
            failure = self._failure(f"{phase}_timed_out", str(error))
            if not self._progress.expires_with(state, workflow.now()):
                raise Stop(Outcome.FAILED, failure) from error
            self._progress.last_error = failure
            raise Stop(Outcome.EXPIRED) from error

    async def _on_database(
        self, activity: ActivityContract[In, Out], argument: In, *, until: datetime | None = None
    ) -> Out:
        return await run_local_first(
            activity,
            argument,
            DATABASE,
            until=until,
            interrupted=self._interrupted,
            on_trouble=self._journal.in_trouble,
        )

    async def _at_gateway(self, activity: ActivityContract[In, Out], argument: In, seconds: int) -> Out:
        until = workflow.now() + timedelta(seconds=seconds)
        return await run_regular(activity, argument, GATEWAY, until=until, interrupted=self._interrupted)

    async def _next_payment(self) -> m.PayRequest:
        if self._progress.payment is None:
            self._journal.enter(State.AWAITING_PAYMENT)
            self._journal.publish()
            await wait_until(
                lambda: self._progress.payment is not None or self._cancel is not None,
                lambda: self._progress.deadline,
                "Deadline of the checkout",
            )
        self._stop_if_cancelled()
        if self._progress.payment is None:
            raise Stop(Outcome.EXPIRED)
        return self._progress.payment

    async def _record(self) -> None:
        try:
            self._progress.saw(
                await run_local_first(
                    contract.RECORD_EXTENSION,
                    inputs.extension(self._progress),
                    DATABASE,
                    until=self._progress.deadline,
                    interrupted=lambda: self._progress.state in FENCED,
                    on_trouble=self._journal.in_trouble,
                )
            )
        except (FailureError, DeadlineReached, Interrupted):
            refuse(Refusal(CHECKOUT_CLOSING, "the checkout ended before its deadline was moved"))

    def _failure(self, code: str, detail: str) -> Failure:
        phase = self._progress.state.phase
        return Failure(code, phase, detail, at=rfc3339(workflow.now()), benign=False)

    def _interrupted(self) -> bool:
        return self._cancel is not None and self._progress.state in CANCELLABLE

    def _stop_if_cancelled(self) -> None:
        if self._cancel is not None:
            raise Stop(Outcome.CANCELLED)
