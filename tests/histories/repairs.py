"""Every path of the audit and of the repairs that it begins, by name; walked and recorded as those of ``beside``."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.testing import ActivityEnvironment

from checkout.activities.payment_capture import PaymentCapture
from checkout.activities.stock_commit import StockCommit
from checkout.domain import contract
from checkout.domain.audit import RepairInput
from checkout.domain.contract import ActivityContract
from checkout.domain.ids import new_checkout_id, repair_workflow_id
from checkout.domain.messages import PhaseInput, ResolveRequest
from tests.histories.beside import Beside, Handle, sold
from tests.support.waiting import eventually
from tests.workflows.engine import Run, details_of
from tests.workflows.fakes import Gate
from tests.workflows.faults import Around, breaks, loses_its_answer, refuses, waits
from tests.workflows.gone import STOPS, Still, audit, begin_audit, repair_of
from tests.workflows.stage import Stage

_STOP = {stop.name: stop for stop in STOPS}
Faults = dict[ActivityContract[Any, Any], list[Around]]


async def _terminated(stage: Stage, where: str, faults: Faults | None = None) -> Still:
    """A checkout whose workflow was terminated in a state; what its repair meets."""
    still = await _STOP[where].drive(stage)
    await still.run.handle.terminate("by ops")
    stage.faults.clear()
    for activity, arounds in (faults or {}).items():
        stage.faults.then(activity, *arounds)
    return still


async def _audited_clean(stage: Stage) -> Handle:
    """One is sold, one is alive."""
    await sold(stage)
    alive, _ = await stage.start()
    handle = await begin_audit(stage)
    await handle.result()
    await alive.cancel()
    await alive.handle.result()
    return handle


async def _audited_gone(stage: Stage) -> Handle:
    """One is terminated; the database is away for a moment."""
    await _terminated(stage, "awaiting_payment", {contract.FIND_GONE: [breaks]})
    handle = await begin_audit(stage)
    for one in (await handle.result()).begun:
        await stage.client.get_workflow_handle(repair_workflow_id(one.checkout_id)).result()
    return handle


async def _audited_at_once(stage: Stage) -> Handle:
    """Two audits find the same checkout before either has begun its repair; gives the one that came second."""
    both = asyncio.Barrier(2)

    async def together(attempt: Callable[[], Awaitable[Any]]) -> Any:
        found = await attempt()
        await both.wait()
        return found

    gate = Gate()
    still = await _terminated(
        stage, "reserving", {contract.FIND_GONE: [together, together], contract.ASSESS_GONE: waits(gate)}
    )
    handles = [await begin_audit(stage) for _ in range(2)]
    begun = [len((await handle.result()).begun) for handle in handles]
    gate.open()
    await repair_of(stage, still.run).result()
    return handles[begun.index(0)]


def _repaired(where: str, faults: Faults | None = None) -> Any:
    async def drive(stage: Stage) -> Handle:
        still = await _terminated(stage, where, faults)
        await audit(stage)
        return repair_of(stage, still.run)

    return drive


async def _repair(stage: Stage, run: Run, run_id: str | None = None) -> Handle:
    """A repair that nobody has found to be needed."""
    checkout = run.checkout
    given = RepairInput(checkout.checkout_id, checkout.cart_id, run.handle.id, run_id or run.handle.run_id or "")
    handle: Handle = await stage.client.start_workflow(
        contract.REPAIR_WORKFLOW, given, id=repair_workflow_id(checkout.checkout_id), task_queue=stage.task_queue
    )
    return handle


async def _needless(stage: Stage) -> Handle:
    """The workflow is alive, and goes on."""
    run, _ = await stage.start()
    handle = await _repair(stage, run)
    await handle.result()
    await stage.pay(run)
    await run.handle.result()
    return handle


async def _completed_meanwhile(stage: Stage) -> Handle:
    """Found in the middle of its capture, and completed by attempts that were on their way."""

    async def late(attempt: Callable[[], Awaitable[Any]]) -> Any:
        verdict = await attempt()
        which = PhaseInput(still.run.checkout.checkout_id, still.run.checkout.cart_id)
        async with stage.gateway.adapter() as gateway:
            await ActivityEnvironment().run(PaymentCapture(stage.sessions, gateway).capture, which)
        await ActivityEnvironment().run(StockCommit(stage.sessions).commit, which)
        return verdict

    still = await _terminated(stage, "capturing", {contract.ASSESS_GONE: [late]})
    await audit(stage)
    return repair_of(stage, still.run)


async def _unlocked(stage: Stage) -> Handle:
    """The checkout has ended, and its cart is locked all the same."""
    run, _ = await stage.start()
    await run.cancel()
    await run.handle.result()
    await stage.shop.execute(
        "UPDATE carts SET locked_by = :id WHERE id = :cart", id=run.checkout.checkout_id, cart=run.checkout.cart_id
    )
    await audit(stage)
    return repair_of(stage, run)


async def _without_row(stage: Stage) -> Handle:
    """A cart is locked by a checkout of which there is nothing else."""
    basket = await stage.cart()
    lost = new_checkout_id(basket.cart_id)
    await stage.shop.execute("UPDATE carts SET locked_by = :id WHERE id = :cart", id=lost, cart=basket.cart_id)
    [begun] = (await audit(stage)).begun
    handle: Handle = stage.client.get_workflow_handle(repair_workflow_id(begun.checkout_id))
    return handle


def _refused(*then: str) -> Any:
    """The gateway refuses to give the transfer back; people act."""

    async def drive(stage: Stage) -> Handle:
        still = await _terminated(stage, "awaiting_funds", {contract.REFUND_PAYMENT: [refuses("gateway_refused")]})
        await (await begin_audit(stage)).result()
        handle = repair_of(stage, still.run)

        async def told() -> bool:
            return "refund_payment: gateway_refused" in await details_of(handle)

        await eventually(told, "the refusal shows")
        if "cancel" in then:
            await handle.cancel()
        if "resolve" in then:
            by_hand = ResolveRequest("refund_payment", "ada", action_id=7)
            await handle.execute_update(contract.RESOLVE, by_hand)
        else:
            await handle.signal(contract.RETRY)
        return handle

    return drive


#: Beside those that begin in each state, which the audit's own tests walk.
OTHER_REPAIRS: list[Beside] = [
    Beside("audited_clean", _audited_clean),
    Beside("audited_gone", _audited_gone),
    Beside("audited_at_once", _audited_at_once),
    Beside(
        "repair_retried",
        _repaired(
            "creating_order",
            {
                contract.ASSESS_GONE: [breaks, loses_its_answer],
                contract.RELEASE_STOCK: [loses_its_answer],
                contract.VOID_PAYMENT: [breaks, loses_its_answer],
                contract.UNLOCK_CART: [loses_its_answer],
                contract.NOTE_REPAIR: [breaks],
            },
        ),
    ),
    Beside(
        "repair_finish_retried",
        _repaired("captured", {contract.PAYMENT_CAPTURE: [breaks], contract.STOCK_COMMIT: [breaks, loses_its_answer]}),
    ),
    Beside("repair_finish_refused", _repaired("committing", {contract.STOCK_COMMIT: [refuses("reservation_missing")]})),
    Beside("repair_needless", _needless),
    Beside("repair_completed_meanwhile", _completed_meanwhile),
    Beside("repair_unlocked", _unlocked),
    Beside("repair_without_row", _without_row),
    Beside("repair_refused_then_tried", _refused("cancel")),
    Beside("repair_settled_by_hand", _refused("resolve"), explained=False),
]

REPAIRS: list[Beside] = [
    *(Beside(f"repaired_{stop.name}", _repaired(stop.name)) for stop in STOPS if stop.state is not None),
    *OTHER_REPAIRS,
]
