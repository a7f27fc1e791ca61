"""Every path of the workflows beside the checkout, by name: refunds, money that nobody owed, reconciliation.

They run on the same stage as the paths of a checkout and are recorded beside them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from checkout.api.beside import Beside as Workflows
from checkout.domain import contract
from checkout.domain.events import CheckoutCompleted, WebhookDisabled
from checkout.domain.ids import new_attempt_id, new_cart_id, new_checkout_id, refund_id, unowed_workflow_id
from checkout.domain.messages import UnowedInput
from checkout.domain.reconciliation import ReconciliationInput
from checkout.domain.refunds import RefundInput
from checkout.domain.webhooks import delivery_workflow_id
from checkout.listeners import GiveUp, Listener, Listeners
from checkout.store.refunds import Asked, ask
from checkout.store.webhook_endpoints import add_endpoint
from checkout.workflows.start import refund_options
from tests.support.receiver import receiver
from tests.support.waiting import eventually
from tests.workflows.ears import Ear, ear
from tests.workflows.engine import Run
from tests.workflows.fakes import Gate
from tests.workflows.faults import Around, breaks, loses_its_answer, refuses, waits
from tests.workflows.stage import BANK, VISA, Stage

Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Beside:
    """A way through a workflow beside the checkout, and the code that it fails with, where it does.

    ``explained``: gateway and shop agree in the end; not where the path is about what they disagree on. ``listens``:
    who hears of the checkouts; ``webhooks``: and the endpoints in the database.
    """

    name: str
    drive: Callable[[Stage], Awaitable[Handle]]
    code: str | None = None
    explained: bool = True
    listens: tuple[Listener, ...] = ()
    webhooks: bool = False

    @property
    def listeners(self) -> Listeners:
        """Who hears."""
        return Listeners(self.listens, webhooks=self.webhooks)


async def code_of(handle: Handle) -> str | None:
    """The code that a workflow fails with, None where it does not."""
    try:
        await handle.result()
    except WorkflowFailureError as failed:
        return failed.cause.type if isinstance(failed.cause, ApplicationError) else repr(failed.cause)
    return None


async def sold(stage: Stage) -> tuple[Run, str]:
    """A checkout that is paid by card, and its order."""
    run, _ = await stage.start(token=VISA)
    await run.handle.result()
    return run, str((await stage.row(run))["order_reference"])


async def payment_of(stage: Stage, run: Run) -> str:
    """The payment object of a checkout's attempt."""
    query = "SELECT gateway_payment_id FROM payment_attempts WHERE checkout_id = :id"
    return str(await stage.shop.execute(query, id=run.checkout.checkout_id))


async def refund(stage: Stage, reference: str, **wanted: Any) -> Handle:
    """Asks for a refund of an order, as the API does."""
    given = {"amount": None, "lines": None, "restock": False, "reason": "came back", "requested_by": "ada"} | wanted
    start = RefundInput(refund_id(reference, None), reference)
    async with stage.sessions() as session, session.begin():
        await ask(session, Asked(start.refund_id, reference, **given))
    handle: Handle = await stage.client.start_workflow(
        contract.REFUND_WORKFLOW, start, task_queue=stage.task_queue, **refund_options(start)
    )
    return handle


def _refunded(reserving: tuple[Around, ...] = (), giving: tuple[Around, ...] = (), **wanted: Any) -> Any:
    async def drive(stage: Stage) -> Handle:
        _, reference = await sold(stage)
        stage.faults.then(contract.RESERVE_REFUND, *reserving).then(contract.REFUND_ORDER, *giving)
        return await refund(stage, reference, **wanted)

    return drive


async def _refund_refused(stage: Stage) -> Handle:
    run, reference = await sold(stage)
    async with stage.gateway.adapter() as gateway:
        payment = await gateway.fetch(await payment_of(stage, run))
        await gateway.refund(payment.payment_id, amount=payment.captured, key="by hand")
    return await refund(stage, reference)


async def _refund_canceled(stage: Stage) -> Handle:
    _, reference = await sold(stage)
    gate = Gate()
    stage.faults.then(contract.REFUND_ORDER, *waits(gate))
    handle = await refund(stage, reference, amount=700)
    await gate.reached.wait()
    await _cancel_in_vain(handle)
    gate.open()
    return handle


async def _cancel_in_vain(handle: Handle) -> None:
    await handle.cancel()

    async def noted() -> bool:
        shown = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return "a Cancel from Temporal was ignored" in shown.current_details

    await eventually(noted, "the cancel is noted")


async def _late_money(stage: Stage) -> tuple[Run, str, str]:
    """A transfer that comes after its checkout was given up; its payment, and the bank's address."""
    run, _ = await stage.start(token=BANK)
    bank = str((await stage.row(run))["next_action"]["url"])
    await run.cancel("ops")
    await run.handle.result()
    await stage.act_at(bank, "funds_received", 700)
    return run, await payment_of(stage, run), bank


def _unowed(*returning: Around, more: bool = False, canceled: bool = False) -> Any:
    async def drive(stage: Stage) -> Handle:
        run, payment, bank = await _late_money(stage)
        gate = Gate()
        stage.faults.then(contract.RETURN_UNOWED, *(waits(gate) if more or canceled else returning))
        workflows = Workflows(stage.client, stage.task_queue)
        attempt = str(await stage.shop.execute("SELECT id FROM payment_attempts"))
        unowed = UnowedInput(payment, run.checkout.checkout_id, attempt)
        await workflows.return_unowed(unowed)
        handle: Handle = stage.client.get_workflow_handle(unowed_workflow_id(payment))
        if more or canceled:
            await gate.reached.wait()
        if more:
            await stage.act_at(bank, "funds_received", 30)
            await workflows.return_unowed(unowed)
        if canceled:
            await _cancel_in_vain(handle)
        gate.open()
        return handle

    return drive


async def nobodys(stage: Stage, checkout_id: str | None = None) -> str:
    """A payment that is captured and that no attempt of the shop has; of a checkout that never was, unless told."""
    attempt_id = new_attempt_id()
    async with stage.gateway.adapter() as gateway:
        made = await gateway.create(
            checkout_id=checkout_id or new_checkout_id(new_cart_id()),
            attempt_id=attempt_id,
            currency="EUR",
            amount=4200,
            method="card",
            token=VISA,
            key=f"{attempt_id}:create",
        )
        await gateway.confirm(made.payment_id, key=f"{attempt_id}:confirm")
        await gateway.capture(made.payment_id, amount=4200, key=f"{attempt_id}:capture")
    return made.payment_id


async def _reconcile(stage: Stage, *, fix: bool = False) -> Handle:
    handle: Handle = await stage.client.start_workflow(
        contract.RECONCILIATION_WORKFLOW,
        ReconciliationInput(fix=fix),
        id=f"reconciliation-{new_attempt_id()}",
        task_queue=stage.task_queue,
    )
    return handle


def _reconciled(*finding: Around, fix: bool = False, orphans: bool = True) -> Any:
    async def drive(stage: Stage) -> Handle:
        run, _ = await sold(stage)
        if orphans:
            await nobodys(stage)
            async with stage.gateway.adapter() as gateway:
                await gateway.refund(await payment_of(stage, run), amount=30, key="by hand")
            await _late_money(stage)
        stage.faults.then(contract.FIND_UNEXPLAINED, *finding)
        handle = await _reconcile(stage, fix=fix)
        if fix:
            await handle.result()
            sent_back = "SELECT payment_id FROM unowed_money"

            async def sent() -> bool:
                return bool(await stage.shop.rows(sent_back))

            await eventually(sent, "the late money is sent back")
            await stage.client.get_workflow_handle(unowed_workflow_id(await stage.shop.execute(sent_back))).result()
        return handle

    return drive


async def _reconciled_in_vain(stage: Stage) -> Handle:
    """What is found cannot be settled: it is left, and the run ends all the same."""
    await nobodys(stage)
    stage.faults.then(contract.SETTLE_FINDING, refuses("defect"))
    return await _reconcile(stage, fix=True)


def _notified(*telling: Around) -> Any:
    """What tells the listeners that a checkout is completed."""

    async def drive(stage: Stage) -> Handle:
        stage.faults.then(contract.TELL_LISTENER, *telling)
        run, _ = await sold(stage)
        announced = f"notify-{CheckoutCompleted.NAME}-{run.checkout.checkout_id}"
        handle: Handle = stage.client.get_workflow_handle(announced)
        return handle

    return drive


def _completed(*ears: Ear, after: int = 0) -> tuple[Listener, ...]:
    return tuple(ear(CheckoutCompleted, each, name=f"ear_{number}", after=after) for number, each in enumerate(ears))


def _webhook(*answers: int, always: int = 200) -> Any:
    """What sends a completed checkout to an endpoint."""

    async def drive(stage: Stage) -> Handle:
        with receiver() as there:
            there.answers, there.always = list(answers), always
            async with stage.sessions() as session, session.begin():
                there.secret = (await add_endpoint(session, there.url, "", [CheckoutCompleted.NAME])).secret
            run, _ = await sold(stage)
            announced = f"notify-{CheckoutCompleted.NAME}-{run.checkout.checkout_id}"
            await stage.client.get_workflow_handle(announced).result()
            handle: Handle = stage.client.get_workflow_handle(await _delivery(stage))
            await code_of(handle)
        return handle

    return drive


async def _fanned_out(stage: Stage) -> Handle:
    """The telling of an event that an endpoint wants."""
    delivered = await _webhook()(stage)
    await delivered.result()
    checkout = str(await stage.shop.execute("SELECT checkout_id FROM webhook_deliveries"))
    handle: Handle = stage.client.get_workflow_handle(f"notify-{CheckoutCompleted.NAME}-{checkout}")
    return handle


async def _delivery(stage: Stage) -> str:
    return delivery_workflow_id(str(await stage.shop.execute("SELECT id FROM webhook_deliveries")))


BESIDE: list[Beside] = [
    Beside("refunded", _refunded()),
    Beside("refunded_in_part", _refunded(lines=[{"sku": "MUG", "quantity": 1}], restock=True)),
    Beside("refund_retried", _refunded((breaks, breaks), (breaks, loses_its_answer))),
    Beside("refund_exceeds", _refunded(amount=10**9), "refund_exceeds_capture"),
    Beside("refund_refused", _refund_refused, "refund_refused", explained=False),
    Beside("refund_canceled", _refund_canceled),
    Beside("unowed_returned", _unowed()),
    Beside("unowed_retried", _unowed(breaks, loses_its_answer)),
    Beside("unowed_told_of_more", _unowed(more=True)),
    Beside("unowed_canceled", _unowed(canceled=True)),
    Beside("reconciled_clean", _reconciled(orphans=False)),
    Beside("reconciled_findings", _reconciled(breaks), explained=False),
    Beside("reconciled_fixed", _reconciled(fix=True)),
    Beside("reconciled_in_vain", _reconciled_in_vain, explained=False),
    Beside("notified", _notified(), listens=_completed(Ear(), Ear())),
    Beside("notified_later", _notified(), listens=_completed(Ear(), after=1)),
    Beside("notified_at_last", _notified(breaks, loses_its_answer), listens=_completed(Ear())),
    Beside(
        "notified_in_vain", _notified(), "listener_gave_up", listens=_completed(Ear(), Ear(GiveUp("no such buyer")))
    ),
    Beside("notified_webhooks", _fanned_out, webhooks=True),
    Beside("webhook_delivered", _webhook(), webhooks=True),
    Beside("webhook_delivered_at_last", _webhook(500), webhooks=True),
    Beside("webhook_gone", _webhook(always=410), "webhook_gave_up", webhooks=True),
    Beside(
        "webhook_gone_and_told",
        _webhook(always=410),
        "webhook_gave_up",
        webhooks=True,
        listens=(ear(WebhookDisabled),),
    ),
]
