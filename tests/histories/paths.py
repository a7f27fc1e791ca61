"""Every path that a checkout can take, by name: the tests walk them, and their recorded histories are replayed.

A path runs on a stage where everything is real; only faults are put in front of activities where a path needs an
attempt that breaks or waits. Add a path here, then record its history with ``make histories``.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.service import RPCError

from checkout.domain import contract
from checkout.domain.contract import ActivityContract
from checkout.domain.events import EVENTS
from checkout.domain.ids import unowed_workflow_id
from checkout.domain.messages import CancelRequest, Limits
from checkout.domain.words import Phase, State
from checkout.listeners import Listener
from checkout.store import reserving
from checkout.store.ledger import How
from checkout.store.stock import change_stock_of
from tests.workflows.ears import ear
from tests.workflows.engine import Run, in_flight, passes
from tests.workflows.fakes import Gate
from tests.workflows.faults import Around, breaks, loses_its_answer, refuses, waits
from tests.workflows.stage import APPROVAL, BANK, DECLINED, PAYPAL, POOR, VISA, Stage

Drive = Callable[[Stage], Awaitable[Run]]


@dataclass(frozen=True)
class Path:
    """A way through a checkout: how it is driven, how it ends, and, where it fails, with which code in which phase.

    ``workers``: the path brings its own workers, because it is about one that goes away. ``listens``: who hears of it.
    """

    name: str
    drive: Drive
    ends: State
    code: str | None = None
    phase: Phase | None = None
    workers: bool = False
    listens: tuple[Listener, ...] = ()


CONTRACT_OF: dict[str, ActivityContract[Any, Any]] = {str(one.name): one for one in contract.EVERY_ACTIVITY}
AT_GATEWAY = (Phase.PAYMENT_AUTHORIZATION, Phase.PAYMENT_CAPTURE)
UNTIL_ORDER = (Phase.CART_VALIDATION, Phase.INVENTORY_RESERVATION, Phase.PRICE_LOCK, Phase.PAYMENT_AUTHORIZATION)


def _held(phase: Phase, gate: Gate) -> list[Around]:
    """A phase that runs as a regular activity, and waits there."""
    return waits(gate) if phase in AT_GATEWAY else [breaks, *waits(gate)]


def _express(token: str, **changes: Any) -> Drive:
    async def drive(stage: Stage) -> Run:
        run, _ = await stage.start(token=token, **changes)
        return run

    return drive


def _with_fault(activity: ActivityContract[Any, Any], *arounds: Around, token: str = VISA, **changes: Any) -> Drive:
    async def drive(stage: Stage) -> Run:
        stage.faults.then(activity, *arounds)
        run, _ = await stage.start(token=token, **changes)
        return run

    return drive


def _before(activity: ActivityContract[Any, Any], change: Callable[[AsyncSession, Run], Awaitable[Any]]) -> Drive:
    """Paid at once, with a change of the shop's rows right before the activity's first attempt."""

    async def drive(stage: Stage) -> Run:
        gate = Gate()
        stage.faults.then(activity, *waits(gate))
        run = await stage.launch(token=VISA)
        await gate.reached.wait()
        async with stage.sessions() as session, session.begin():
            await change(session, run)
        gate.open()
        return run

    return drive


async def _count_no_stock(session: AsyncSession, _: Run) -> None:
    await change_stock_of(session, "LAMP", 0, How.SET, warehouse="FRA", reason="counted")
    await change_stock_of(session, "LAMP", 0, How.SET, warehouse="LYS", reason="counted")


async def _release_units(session: AsyncSession, run: Run) -> None:
    await reserving.release(session, run.checkout.checkout_id)


# -- completed -------------------------------------------------------------------------------------------------------


async def _stepwise(stage: Stage) -> Run:
    run, _ = await stage.start()
    await stage.pay(run)
    return run


async def _free(stage: Stage) -> Run:
    await stage.shop.product("GIFT", price={"CHF": 0})
    await stage.shop.execute(
        "INSERT INTO shipping_options (currency, code, name, amount) VALUES ('CHF', 'standard', 'Standard', 0)"
    )
    run, _ = await stage.start(await stage.shop.cart({"GIFT": 1}, currency="CHF"))
    return run


async def _declined_then_paid(stage: Stage) -> Run:
    run, _ = await stage.start()
    await stage.pay(run, DECLINED)
    await stage.pay(run, VISA)
    return run


async def _declined_at_once_then_paid(stage: Stage) -> Run:
    run, _ = await stage.start(token=POOR)
    await stage.pay(run, VISA)
    return run


async def _extended(stage: Stage) -> Run:
    run, _ = await stage.start()
    await run.extend(1800)
    await stage.pay(run)
    return run


async def _joined(stage: Stage) -> Run:
    basket = await stage.cart()
    run, _ = await stage.start(basket)
    await stage.start(basket)
    await stage.pay(run)
    return run


async def _authorized_after_the_deadline(stage: Stage) -> Run:
    gate = Gate()
    stage.faults.then(contract.PAYMENT_AUTHORIZATION, *waits(gate))
    run = await in_flight(lambda ttl: stage.launch(token=VISA, limits=Limits(ttl=ttl)), gate)
    await passes(run, (await run.view()).expires_at)
    gate.open()
    return run


def _canceled_too_late(phase: Phase) -> Drive:
    async def drive(stage: Stage) -> Run:
        gate = Gate()
        stage.faults.then(CONTRACT_OF[phase], *_held(phase, gate))
        run = await stage.launch(token=VISA)
        await gate.reached.wait()
        await run.handle.cancel()
        await run.notes("a Cancel from Temporal was ignored")
        gate.open()
        return run

    return drive


async def _moved_to_another_worker(stage: Stage) -> Run:
    gate = Gate()
    stage.faults.then(contract.INVENTORY_RESERVATION, breaks, *waits(gate))
    async with stage.worker():
        run = await stage.launch(token=VISA)
        await gate.reached.wait()
    gate.open()
    async with stage.worker():
        await run.handle.result()
    return run


# -- approved somewhere else ---------------------------------------------------------------------------------------


def _approved(token: str, *tell: str, outcome: str = "approve", then: str | None = None) -> Drive:
    """Paid by what the buyer has to approve; then it is told of by events, the storefront, or nobody, in that order."""

    async def drive(stage: Stage) -> Run:
        run, view = await stage.start(limits=Limits(ttl=900 if tell else stage.short_ttl))
        await stage.pay(run, token)
        await stage.act(run, outcome)
        for teller in tell:
            with contextlib.suppress(RPCError):  # where the checkout has ended by then
                await (stage.changed(run) if teller == "event" else run.confirm())
        if not tell:
            await passes(run, view.expires_at)
        if then is not None:
            await run.reaches(State.AWAITING_PAYMENT)
            await stage.pay(run, then)
        return run

    return drive


async def _never_approved(stage: Stage) -> Run:
    run, view = await stage.start(token=APPROVAL, limits=Limits(ttl=stage.short_ttl))
    await passes(run, view.expires_at)
    return run


async def _replaced(stage: Stage) -> Run:
    """The buyer leaves one page behind for another, and approves there."""
    run, _ = await stage.start(token=APPROVAL)
    await stage.pay(run, PAYPAL)
    await stage.act(run, "approve")
    await run.confirm()
    return run


async def _cancelled_before_approval(stage: Stage) -> Run:
    run, _ = await stage.start(token=APPROVAL)
    await run.cancel()
    return run


# -- by bank transfer ------------------------------------------------------------------------------------------------


def _transferred(*amounts: int | None, limits: Limits | None = None, tell: bool = True) -> Drive:
    """Transfers of so much (minor units, None: what is missing), each told of by an event; else until time is over."""

    async def drive(stage: Stage) -> Run:
        run, _ = await stage.start(token=BANK, limits=limits or Limits())
        for amount in amounts:
            await stage.act(run, "funds_received", amount)
            if tell:
                await stage.changed(run)
        if limits is not None and None not in amounts:
            await passes(run, (await run.view()).expires_at)
        return run

    return drive


async def _transferred_too_much(stage: Stage) -> Run:
    """The excess goes back by a workflow of its own, which the checkout does not wait for; the test does."""
    run, _ = await stage.start(token=BANK)
    await stage.act(run, "funds_received", 99_999)
    await stage.changed(run)
    await run.handle.result()
    query = "SELECT gateway_payment_id FROM payment_attempts WHERE checkout_id = :id"
    payment = str(await stage.shop.execute(query, id=run.checkout.checkout_id))
    await stage.client.get_workflow_handle(unowed_workflow_id(payment)).result()
    return run


def _released(*, temporal: bool = False, early: bool = False) -> Drive:
    """Ops give up waiting for a transfer, or a Cancel comes when the order is being made."""

    async def drive(stage: Stage) -> Run:
        if early:
            gate = Gate()
            stage.faults.then(contract.ORDER_CREATION, breaks, *waits(gate))
            run = await stage.launch(token=BANK)
            await gate.reached.wait()
            await run.handle.cancel()
            await run.notes("canceled in Temporal")
            gate.open()
        elif temporal:
            run, _ = await stage.start(token=BANK)
            await run.handle.cancel()
        else:
            run, _ = await stage.start(token=BANK)
            await run.cancel("ops")
        return run

    return drive


# -- expired ---------------------------------------------------------------------------------------------------------


async def _expired(stage: Stage) -> Run:
    run, view = await stage.start(limits=Limits(ttl=stage.short_ttl))
    await passes(run, view.expires_at)
    return run


async def _expired_after_an_extension(stage: Stage) -> Run:
    run, _ = await stage.start(limits=Limits(ttl=stage.short_ttl))
    extended = await run.extend(stage.short_ttl * 2)
    await passes(run, extended.expires_at)
    return run


async def _expired_after_a_decline(stage: Stage) -> Run:
    run, view = await stage.start(token=DECLINED, limits=Limits(ttl=stage.short_ttl))
    await passes(run, view.expires_at)
    return run


async def _expired_while_authorizing(stage: Stage) -> Run:
    gate = Gate()
    stage.faults.then(contract.PAYMENT_AUTHORIZATION, *waits(gate))
    return await in_flight(lambda ttl: stage.launch(token=VISA, limits=Limits(ttl=ttl, payment_auth_timeout=ttl)), gate)


# -- cancelled -------------------------------------------------------------------------------------------------------


async def _cancelled(stage: Stage) -> Run:
    run, _ = await stage.start()
    await run.cancel()
    return run


async def _canceled_in_temporal(stage: Stage) -> Run:
    run, _ = await stage.start()
    await run.handle.cancel()
    return run


def _cancelled_while(phase: Phase) -> Drive:
    async def drive(stage: Stage) -> Run:
        gate = Gate()
        stage.faults.then(CONTRACT_OF[phase], *_held(phase, gate))
        run = await stage.launch(token=VISA)
        await gate.reached.wait()
        cancelling = await run.begin(contract.CANCEL, CancelRequest())
        gate.open()
        await cancelling.result()
        return run

    return drive


# -- failed ----------------------------------------------------------------------------------------------------------


async def _empty_cart(stage: Stage) -> Run:
    basket = await stage.cart()
    await stage.shop.execute("DELETE FROM cart_lines WHERE cart_id = :cart", cart=basket.cart_id)
    run, _ = await stage.start(basket)
    return run


async def _declined_three_times(stage: Stage) -> Run:
    run, _ = await stage.start()
    for _ in range(3):
        await stage.pay(run, DECLINED)
    return run


async def _canceled_while_compensating(stage: Stage) -> Run:
    gate = Gate()
    stage.faults.then(contract.RELEASE_STOCK, *waits(gate))
    run = await stage.launch(token="tok_captureFails")
    await gate.reached.wait()
    await run.handle.cancel()
    await run.notes("a Cancel from Temporal was ignored")
    gate.open()
    return run


async def _refused_compensation(stage: Stage) -> Run:
    stage.faults.then(contract.RELEASE_STOCK, refuses("defect"))
    limits = Limits(refused_compensation_pause=1)
    run, _ = await stage.start(token="tok_captureFails", limits=limits)
    return run


async def _refused(stage: Stage, *refusals: Around) -> Run:
    """The gateway refuses to give back what it has authorized, as often as told; the checkout waits for people."""
    stage.faults.then(contract.REFUND_PAYMENT, *refusals)
    run = await stage.launch(token="tok_captureFails")
    await run.notes("gateway_refused")
    return run


async def _settled_by_hand(stage: Stage) -> Run:
    run = await _refused(stage, refuses("gateway_refused"))
    query = "SELECT gateway_payment_id FROM payment_attempts WHERE checkout_id = :id"
    payment = str(await stage.shop.execute(query, id=run.checkout.checkout_id))
    async with stage.gateway.adapter() as gateway:  # as people do on the gateway's own pages
        await gateway.cancel(payment, key="by hand")
    await run.resolve("refund_payment")
    return run


async def _refused_then_tried_at_once(stage: Stage) -> Run:
    run = await _refused(stage, refuses("gateway_refused"))
    await run.retry()
    return run


def _completed(name: str, drive: Drive, *, workers: bool = False) -> Path:
    return Path(name, drive, State.COMPLETED, workers=workers)


def _failed(name: str, phase: Phase, code: str, drive: Drive) -> Path:
    return Path(name, drive, State.FAILED, code, phase)


# -- heard of --------------------------------------------------------------------------------------------------------

EARS = tuple(ear(kind) for kind in EVENTS.values())

PATHS: list[Path] = [
    _completed("stepwise", _stepwise),
    _completed("express", _express(VISA)),
    _completed("free", _free),
    _completed("slow_gateway", _express("tok_slow")),
    _completed("gateway_down", _express("tok_gatewayDown")),
    _completed("declined_then_paid", _declined_then_paid),
    _completed("declined_at_once_then_paid", _declined_at_once_then_paid),
    _completed("extended", _extended),
    _completed("joined", _joined),
    _completed("authorized_after_the_deadline", _authorized_after_the_deadline),
    _completed("moved_to_another_worker", _moved_to_another_worker, workers=True),
    *(_completed(f"retried_{phase}", _with_fault(CONTRACT_OF[phase], breaks)) for phase in Phase),
    *(_completed(f"lost_answer_{phase}", _with_fault(CONTRACT_OF[phase], loses_its_answer)) for phase in Phase),
    *(
        _completed(f"canceled_too_late_{phase}", _canceled_too_late(phase))
        for phase in Phase
        if phase not in UNTIL_ORDER
    ),
    _completed("approved_by_event", _approved(APPROVAL, "event")),
    _completed("approved_by_confirm", _approved(APPROVAL, "confirm")),
    _completed("approved_by_both_twice", _approved(APPROVAL, "event", "confirm", "event", "confirm")),
    _completed("approved_and_told_by_nobody", _approved(APPROVAL)),
    _completed("approved_at_paypal", _approved(PAYPAL, "event")),
    _completed("denied_then_paid", _approved(APPROVAL, "event", outcome="deny", then=VISA)),
    _completed("approval_replaced", _replaced),
    Path("never_approved", _never_approved, State.EXPIRED),
    Path("denied_and_expired", _approved(PAYPAL, outcome="deny"), State.EXPIRED),
    Path("cancelled_before_approval", _cancelled_before_approval, State.CANCELLED),
    _completed("transferred", _transferred(None)),
    _completed("transferred_in_parts", _transferred(1000, None)),
    _completed("transferred_and_polled", _transferred(None, tell=False, limits=Limits(funds_poll=2))),
    _completed("transferred_too_much", _transferred_too_much),
    Path("transfer_incomplete", _transferred(1000, limits=Limits(funds_timeout=3)), State.EXPIRED),
    Path("transfer_missing", _transferred(limits=Limits(funds_timeout=3)), State.EXPIRED),
    Path("transfer_released", _released(), State.CANCELLED),
    Path("transfer_canceled_in_temporal", _released(temporal=True), State.CANCELLED),
    Path("transfer_canceled_early", _released(early=True), State.CANCELLED),
    Path("expired", _expired, State.EXPIRED),
    Path("expired_after_an_extension", _expired_after_an_extension, State.EXPIRED),
    Path("expired_after_a_decline", _expired_after_a_decline, State.EXPIRED),
    Path(
        "expired_while_retrying",
        _with_fault(contract.INVENTORY_RESERVATION, *[breaks] * 20, limits=Limits(ttl=2)),
        State.EXPIRED,
    ),
    Path("expired_while_authorizing", _expired_while_authorizing, State.EXPIRED),
    Path("cancelled", _cancelled, State.CANCELLED),
    Path("canceled_in_temporal", _canceled_in_temporal, State.CANCELLED),
    *(Path(f"cancelled_while_{phase}", _cancelled_while(phase), State.CANCELLED) for phase in UNTIL_ORDER),
    _failed("empty_cart", Phase.CART_VALIDATION, "empty_cart", _empty_cart),
    _failed(
        "stock_gone",
        Phase.INVENTORY_RESERVATION,
        "insufficient_stock",
        _before(contract.INVENTORY_RESERVATION, _count_no_stock),
    ),
    _failed("total_differs", Phase.PRICE_LOCK, "total_mismatch", _express(VISA, expected_total=1)),
    _failed("declined_three_times", Phase.PAYMENT_AUTHORIZATION, "card_declined", _declined_three_times),
    _failed(
        "authorized_too_little",
        Phase.PAYMENT_AUTHORIZATION,
        "authorized_amount_differs",
        _express("tok_partialAuthorization"),
    ),
    _failed(
        "authorization_timed_out",
        Phase.PAYMENT_AUTHORIZATION,
        "payment_authorization_timed_out",
        _with_fault(contract.PAYMENT_AUTHORIZATION, *[breaks] * 20, limits=Limits(payment_auth_timeout=2)),
    ),
    _failed(
        "reservation_missing",
        Phase.ORDER_CREATION,
        "reservation_missing",
        _before(contract.ORDER_CREATION, _release_units),
    ),
    _failed("capture_refused", Phase.PAYMENT_CAPTURE, "capture_refused", _express("tok_captureFails")),
    _failed(
        "capture_timed_out",
        Phase.PAYMENT_CAPTURE,
        "payment_capture_timed_out",
        _with_fault(contract.PAYMENT_CAPTURE, *[breaks] * 20, limits=Limits(payment_capture_timeout=2)),
    ),
    _failed(
        "captured_and_timed_out",
        Phase.PAYMENT_CAPTURE,
        "payment_capture_timed_out",
        _with_fault(
            contract.PAYMENT_CAPTURE, loses_its_answer, *[breaks] * 20, limits=Limits(payment_capture_timeout=2)
        ),
    ),
    *(
        _failed(
            f"{how}_{compensation.name}",
            Phase.PAYMENT_CAPTURE,
            "capture_refused",
            _with_fault(compensation, fault, token="tok_captureFails"),
        )
        for how, fault in (("retried", breaks), ("lost_answer", loses_its_answer))
        for compensation in contract.COMPENSATION_OF.values()
        if compensation != contract.RESTOCK
    ),
    _failed("canceled_while_compensating", Phase.PAYMENT_CAPTURE, "capture_refused", _canceled_while_compensating),
    _failed("refused_compensation", Phase.PAYMENT_CAPTURE, "capture_refused", _refused_compensation),
    _failed("settled_by_hand", Phase.PAYMENT_CAPTURE, "capture_refused", _settled_by_hand),
    _failed("refused_then_tried_at_once", Phase.PAYMENT_CAPTURE, "capture_refused", _refused_then_tried_at_once),
    Path("heard_completed", _express(VISA), State.COMPLETED, listens=EARS),
    Path("heard_stepwise", _stepwise, State.COMPLETED, listens=EARS),
    Path("heard_expired", _expired, State.EXPIRED, listens=EARS),
    Path("heard_empty_cart", _empty_cart, State.FAILED, "empty_cart", Phase.CART_VALIDATION, listens=EARS),
    Path(
        "heard_capture_refused",
        _express("tok_captureFails"),
        State.FAILED,
        "capture_refused",
        Phase.PAYMENT_CAPTURE,
        listens=EARS,
    ),
]
