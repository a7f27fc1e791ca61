"""The words of a checkout: its phases, its states and what may be asked of it in each.

Everything here is a plain value, so that workflow code, SQL rows and HTTP answers share one spelling.
"""

from enum import StrEnum


class Phase(StrEnum):
    """One of the seven steps of a checkout, in the order in which they run."""

    CART_VALIDATION = "cart_validation"
    INVENTORY_RESERVATION = "inventory_reservation"
    PRICE_LOCK = "price_lock"
    PAYMENT_AUTHORIZATION = "payment_authorization"
    ORDER_CREATION = "order_creation"
    PAYMENT_CAPTURE = "payment_capture"
    STOCK_COMMIT = "stock_commit"


class State(StrEnum):
    """Where a checkout stands."""

    PENDING = "pending"
    VALIDATING = "validating"
    RESERVING = "reserving"
    LOCKING_PRICES = "locking_prices"
    AWAITING_PAYMENT = "awaiting_payment"
    AUTHORIZING = "authorizing"
    REQUIRES_ACTION = "requires_action"
    CREATING_ORDER = "creating_order"
    AWAITING_FUNDS = "awaiting_funds"
    CAPTURING = "capturing"
    COMMITTING = "committing"
    COMPLETED = "completed"
    COMPENSATING = "compensating"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def label(self) -> str:
        """The state for people, such as ``Awaiting payment``."""
        return self.value.replace("_", " ").capitalize()

    @property
    def closed(self) -> bool:
        """Whether nothing can happen any more: completed, failed, expired or cancelled."""
        return self in CLOSED

    @property
    def phase(self) -> Phase | None:
        """The phase that runs, or is waited for, in this state; none before the first and once undoing begins."""
        return _PHASE_OF.get(self)


CLOSED = frozenset({State.COMPLETED, State.FAILED, State.EXPIRED, State.CANCELLED})
#: States in which no phase may take effect any more (G5): being undone, or closed.
FENCED = CLOSED | {State.COMPENSATING}
#: States of the phases before the payment: prices are not locked yet.
UNPRICED = frozenset({State.PENDING, State.VALIDATING, State.RESERVING, State.LOCKING_PRICES})
#: States in which the buyer may still cancel: until order creation begins.
CANCELLABLE = UNPRICED | {State.AWAITING_PAYMENT, State.AUTHORIZING, State.REQUIRES_ACTION}
#: States in which nobody but the buyer, or his bank, can go on.
AT_REST = frozenset({State.AWAITING_PAYMENT, State.REQUIRES_ACTION, State.AWAITING_FUNDS})
#: States in which nothing goes on until the gateway says more: the buyer approves somewhere else, or money is to come.
AT_GATEWAY = frozenset({State.REQUIRES_ACTION, State.AWAITING_FUNDS})
#: States in which the deadline may be moved.
EXTENDABLE = frozenset({State.AWAITING_PAYMENT, State.REQUIRES_ACTION})
#: States in which a payment is taken.
PAYABLE = frozenset({State.AWAITING_PAYMENT, State.REQUIRES_ACTION})

_PHASE_OF = {
    State.PENDING: Phase.CART_VALIDATION,
    State.VALIDATING: Phase.CART_VALIDATION,
    State.RESERVING: Phase.INVENTORY_RESERVATION,
    State.LOCKING_PRICES: Phase.PRICE_LOCK,
    State.AWAITING_PAYMENT: Phase.PAYMENT_AUTHORIZATION,
    State.AUTHORIZING: Phase.PAYMENT_AUTHORIZATION,
    State.REQUIRES_ACTION: Phase.PAYMENT_AUTHORIZATION,
    State.CREATING_ORDER: Phase.ORDER_CREATION,
    State.AWAITING_FUNDS: Phase.PAYMENT_CAPTURE,
    State.CAPTURING: Phase.PAYMENT_CAPTURE,
    State.COMMITTING: Phase.STOCK_COMMIT,
}


class Outcome(StrEnum):
    """How a checkout ends; the value is the closed state of that name."""

    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def state(self) -> State:
        """The closed state of this outcome."""
        return State(self.value)


class PaymentStatus(StrEnum):
    """What the payment of a checkout stands at."""

    NONE = "none"
    REQUIRES_ACTION = "requires_action"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"


class AttemptStatus(StrEnum):
    """Where one attempt to pay stands."""

    NEW = "new"
    CREATED = "created"
    REQUIRES_ACTION = "requires_action"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    REFUSED = "refused"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


class OrderStatus(StrEnum):
    """Where an order stands."""

    PENDING = "pending"
    PAID = "paid"
    CANCELLED = "cancelled"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class Role(StrEnum):
    """What the holder of an admin token may do: look, or act as well."""

    VIEWER = "viewer"
    OPERATOR = "operator"


class OnShortage(StrEnum):
    """What a start wants when stock is short: refuse the whole, or take what there is and say so."""

    FAIL = "fail"
    REDUCE = "reduce"
