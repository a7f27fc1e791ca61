"""The checkout: one workflow that takes a cart through seven phases, or gives everything back."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.progress import CHECKOUT_CLOSING, Progress, Refusal
from checkout.domain.words import FENCED, UNPRICED, Outcome, State
from checkout.workflows import inputs
from checkout.workflows.announcing import Announcer
from checkout.workflows.cancellation import uninterrupted
from checkout.workflows.details import Journal
from checkout.workflows.failures import DeadlineReached, Interrupted, Stop, ending_of, refuse
from checkout.workflows.payment import authorize_payment, await_funds
from checkout.workflows.phases import run_local_first
from checkout.workflows.policies import DATABASE
from checkout.workflows.running import Running
from checkout.workflows.saga import AlreadyCompleted, Saga


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
        self._announcer = Announcer()
        self._saga = Saga(
            on_change=self._journal.undoing,
            on_result=self._undone,
            pause=timedelta(seconds=checkout.limits.refused_compensation_pause),
        )
        self._running = Running(checkout, self._progress, self._journal, self._saga)
        self._phase, self._on_database = self._running.phase, self._running.on_database
        self._at_gateway = self._running.at_gateway
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
            validated = await self._on_database(contract.CART_VALIDATION, argument, until=progress.deadline)
            progress.saw(validated)
            self._announcer.announce(validated.announcement)

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
        if not self._progress.free:
            await authorize_payment(self._running)

    async def _create_order(self) -> None:
        """A bank transfer has a time of its own from here on: the checkout's deadline is its end."""
        progress = self._progress
        with self._phase(State.CREATING_ORDER):
            if progress.awaits_funds:
                progress.deadline = workflow.now() + timedelta(seconds=self._checkout.limits.funds_timeout)
            argument = inputs.order_creation(progress)
            ordered = await self._on_database(contract.ORDER_CREATION, argument)
            progress.ordered(ordered)
            self._announcer.announce(ordered.announcement)

    async def _capture_payment(self) -> None:
        progress = self._progress
        if progress.free:
            return
        if progress.awaits_funds:
            progress.payment = None  # answered: the next move is the bank's
            await await_funds(self._running)
        limit = self._checkout.limits.payment_capture_timeout
        with self._phase(State.CAPTURING):
            progress.saw(await self._at_gateway(contract.PAYMENT_CAPTURE, inputs.which(progress), limit))

    async def _commit_stock(self) -> None:
        with self._phase(State.COMMITTING):
            committed = await self._on_database(contract.STOCK_COMMIT, inputs.which(self._progress))
            self._progress.saw(committed)
            self._announcer.announce(committed.announcement)

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

    def _undone(self, result: m.Compensated) -> None:
        self._progress.saw(result)
        self._announcer.announce(result.announcement)

    async def _end(self, outcome: Outcome) -> m.CheckoutResult:
        self._progress.closed(outcome, workflow.now())
        self._journal.publish()
        await self._announcer.settle()
        # Last of all: an update that was accepted and is not answered would be lost with the workflow.
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
        if self._running.cancel is None and self._progress.cancellable:
            self._running.cancel = request
            self._journal.note(f"cancelled by {request.by}" + (f" ({request.who})" if request.who else ""))
        await workflow.wait_condition(lambda: self._progress.state.closed)
        return self._progress.view()

    @cancel.validator
    def _may_cancel(self, request: m.CancelRequest) -> None:
        refuse(self._progress.refuses_cancel(request.by))

    @workflow.update(name=contract.CONFIRM)
    async def confirm(self, _request: m.ConfirmRequest) -> m.CheckoutView:
        """The buyer says that he has approved: looks at the gateway, and answers with what came of it."""
        self._progress.changed()
        await workflow.wait_condition(lambda: self._progress.at_rest or self._progress.state in UNPRICED)
        return self._progress.view()

    @workflow.update(name=contract.RESOLVE)
    async def resolve(self, request: m.ResolveRequest) -> m.CheckoutView:
        """Answers once the compensation counts as done by hand."""
        self._journal.note(f"{request.compensation} done by hand by {request.who}")
        await self._saga.resolve(request)
        return self._progress.view()

    @resolve.validator
    def _may_resolve(self, request: m.ResolveRequest) -> None:
        refuse(self._saga.refuses_resolve(request))

    @workflow.signal(name=contract.RETRY)
    def retry(self) -> None:
        """Ops have mended what was refused: it is tried again at once."""
        self._saga.retry_now()

    @workflow.signal(name=contract.PAYMENT_CHANGED)
    def payment_changed(self, change: m.PaymentChanged) -> None:
        """The gateway sent an event about an attempt."""
        self._progress.changed(change.attempt_id)

    @workflow.query(name=contract.VIEW)
    def view(self) -> m.CheckoutView:
        """The checkout as its workflow sees it."""
        return self._progress.view()

    def cancel_requested(self) -> None:
        """A Cancel from Temporal: until order creation begins, or while a bank transfer is to come, the same as the
        update; else only noted."""
        if not self._progress.cancellable:
            self._journal.note(
                f"a Cancel from Temporal was ignored: the checkout was {self._progress.state.label.lower()}"
            )
        elif self._running.cancel is None:
            self._running.cancel = m.CancelRequest(by="temporal")
            self._canceled_in_temporal = True
            self._journal.note("canceled in Temporal")

    # -- how it is done ------------------------------------------------------------------------------------------

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
