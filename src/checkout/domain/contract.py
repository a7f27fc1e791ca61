"""The contract between workflows, activities and clients: every name that Temporal knows, in one place.

Workflows know activities by these values alone, so that no SQL comes into their sandbox; activities register under
the same names, and a test holds the two together.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from checkout.domain import audit as a
from checkout.domain import events as e
from checkout.domain import messages as m
from checkout.domain import reconciliation as r
from checkout.domain import refunds as f
from checkout.domain import webhooks as w
from checkout.domain.words import Phase

In = TypeVar("In")
Out_co = TypeVar("Out_co", covariant=True)

#: Where no setting names another.
TASK_QUEUE = "checkout"
CHECKOUT_WORKFLOW = "Checkout"
UNOWED_WORKFLOW = "UnowedMoney"
RECONCILIATION_WORKFLOW = "Reconciliation"
REFUND_WORKFLOW = "Refund"
NOTIFY_WORKFLOW = "Notify"
WEBHOOK_WORKFLOW = "Webhook"
AUDIT_WORKFLOW = "Audit"
REPAIR_WORKFLOW = "Repair"

#: The memo field of a run that carries its checkout's id, so that it is found before its row exists.
MEMO_CHECKOUT_ID = "checkout_id"

START = "start"
PAY = "pay"
EXTEND = "extend"
CANCEL = "cancel"
CONFIRM = "confirm"
RESOLVE = "resolve"
RETRY = "retry"
PAYMENT_CHANGED = "payment_changed"
VIEW = "view"


@dataclass(frozen=True)
class ActivityContract(Generic[In, Out_co]):
    """An activity: its name, what it takes and gives, and the sentence shown beside it in the Temporal UI."""

    name: str
    takes: type[In]
    gives: type[Out_co]
    summary: str


CART_VALIDATION = ActivityContract(
    Phase.CART_VALIDATION, m.CartValidationInput, m.CartValidated, "Lock and validate the cart"
)
INVENTORY_RESERVATION = ActivityContract(
    Phase.INVENTORY_RESERVATION, m.PhaseInput, m.StockReserved, "Hold units for every line"
)
PRICE_LOCK = ActivityContract(Phase.PRICE_LOCK, m.PriceLockInput, m.PricesLocked, "Freeze the prices")
PAYMENT_AUTHORIZATION = ActivityContract(
    Phase.PAYMENT_AUTHORIZATION, m.AuthorizationInput, m.Authorization, "Authorize the frozen total"
)
PAYMENT_CHECK = ActivityContract(
    "payment_check", m.PaymentCheckInput, m.Authorization, "Look whether the buyer has approved"
)
ORDER_CREATION = ActivityContract(
    Phase.ORDER_CREATION, m.OrderCreationInput, m.OrderCreated, "Make the order from the snapshot"
)
FUNDS_CHECK = ActivityContract("funds_check", m.PaymentCheckInput, m.Funds, "Look whether the transfer has arrived")
RETURN_UNOWED = ActivityContract("return_unowed", m.UnowedInput, m.Returned, "Send back what nobody owed")
PAYMENT_CAPTURE = ActivityContract(Phase.PAYMENT_CAPTURE, m.PhaseInput, m.Captured, "Capture the authorization")
STOCK_COMMIT = ActivityContract(Phase.STOCK_COMMIT, m.PhaseInput, m.StockCommitted, "Take the units out of stock")

UNLOCK_CART = ActivityContract("unlock_cart", m.CompensationInput, m.Compensated, "Unlock the cart, close the checkout")
RELEASE_STOCK = ActivityContract("release_stock", m.CompensationInput, m.Compensated, "Give the held units back")
DISCARD_PRICES = ActivityContract(
    "discard_prices", m.CompensationInput, m.Compensated, "Discard the frozen prices, give the redemption back"
)
VOID_PAYMENT = ActivityContract("void_payment", m.CompensationInput, m.Compensated, "Settle every attempt to zero")
CANCEL_ORDER = ActivityContract("cancel_order", m.CompensationInput, m.Compensated, "Cancel the order")
REFUND_PAYMENT = ActivityContract("refund_payment", m.CompensationInput, m.Compensated, "Refund what was captured")
RESTOCK = ActivityContract("restock", m.CompensationInput, m.Compensated, "Put the units back into stock")

SETTLE_BY_HAND = ActivityContract(
    "settle_by_hand", m.ByHandInput, m.Compensated, "Take for settled what people settled by hand"
)

RECORD_EXTENSION = ActivityContract(
    "record_extension", m.ExtensionInput, m.Extended, "Move the deadline in the checkout's row"
)

RESERVE_REFUND = ActivityContract(
    "reserve_refund", f.RefundInput, f.RefundReserved, "Keep the amount free for this refund"
)
REFUND_ORDER = ActivityContract("refund_order", f.RefundInput, f.Refunded, "Give the money back, then restock")

FIND_UNEXPLAINED = ActivityContract(
    "find_unexplained", r.ReconciliationInput, r.Unexplained, "Compare the gateway's payments with the shop's"
)
SETTLE_FINDING = ActivityContract("settle_finding", r.Finding, r.Settled, "Give back what belongs to nothing")
NOTE_REFUND = ActivityContract("note_refund", r.Finding, r.Settled, "Write down what somebody refunded at the gateway")

TELL_LISTENER = ActivityContract("tell_listener", e.Telling, e.Told, "Tell a listener of the event")
PLAN_WEBHOOKS = ActivityContract("plan_webhooks", e.Telling, w.Planned, "Find the endpoints that want the event")
DELIVER_WEBHOOK = ActivityContract("deliver_webhook", w.Deliver, w.Delivered, "Send the event to the endpoint")
GIVE_UP_WEBHOOK = ActivityContract("give_up_webhook", w.Undelivered, w.GivenUp, "Give the delivery up")
FIND_GONE = ActivityContract(
    "find_gone", a.AuditInput, a.Gone, "Look for open checkouts whose workflow does not run any more"
)
ASSESS_GONE = ActivityContract(
    "assess_gone", a.RepairInput, a.Assessment, "Look once more whether its workflow is gone, and what it needs"
)
UNLOCK_STRAY = ActivityContract("unlock_stray", a.RepairInput, m.Compensated, "Unlock the cart of an ended checkout")
NOTE_REPAIR = ActivityContract("note_repair", a.Repaired, a.Noted, "Say what became of the checkout")

#: Each phase with the compensation that undoes it, in the order of the phases.
COMPENSATION_OF = {
    Phase.CART_VALIDATION: UNLOCK_CART,
    Phase.INVENTORY_RESERVATION: RELEASE_STOCK,
    Phase.PRICE_LOCK: DISCARD_PRICES,
    Phase.PAYMENT_AUTHORIZATION: VOID_PAYMENT,
    Phase.ORDER_CREATION: CANCEL_ORDER,
    Phase.PAYMENT_CAPTURE: REFUND_PAYMENT,
    Phase.STOCK_COMMIT: RESTOCK,
}

#: Where a phase waits, with the activity that looks whether that is over.
CHECK_OF = {Phase.PAYMENT_AUTHORIZATION: PAYMENT_CHECK, Phase.PAYMENT_CAPTURE: FUNDS_CHECK}

#: What is tried once as an activity of its own, a local one where it only touches Postgres, before one follows that is
#: tried again and again.
TRIED_ONCE: tuple[ActivityContract[Any, Any], ...] = (
    CART_VALIDATION,
    INVENTORY_RESERVATION,
    PRICE_LOCK,
    PAYMENT_AUTHORIZATION,
    PAYMENT_CHECK,
    ORDER_CREATION,
    FUNDS_CHECK,
    PAYMENT_CAPTURE,
    STOCK_COMMIT,
    RECORD_EXTENSION,
)

#: Everything that the workflows may call.
EVERY_ACTIVITY: tuple[ActivityContract[Any, Any], ...] = (
    CART_VALIDATION,
    INVENTORY_RESERVATION,
    PRICE_LOCK,
    PAYMENT_AUTHORIZATION,
    ORDER_CREATION,
    PAYMENT_CAPTURE,
    STOCK_COMMIT,
    *COMPENSATION_OF.values(),
    SETTLE_BY_HAND,
    RECORD_EXTENSION,
    PAYMENT_CHECK,
    FUNDS_CHECK,
    RETURN_UNOWED,
    RESERVE_REFUND,
    REFUND_ORDER,
    FIND_UNEXPLAINED,
    SETTLE_FINDING,
    NOTE_REFUND,
    TELL_LISTENER,
    PLAN_WEBHOOKS,
    DELIVER_WEBHOOK,
    GIVE_UP_WEBHOOK,
    FIND_GONE,
    ASSESS_GONE,
    UNLOCK_STRAY,
    NOTE_REPAIR,
)
