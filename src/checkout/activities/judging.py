"""What is out of place about a payment: the gateway's word beside what the shop knows. Pure; money in minor units."""

from checkout.domain.money import money_text
from checkout.domain.reconciliation import Finding, FindingKind
from checkout.domain.words import State
from checkout.payments.port import Payment
from checkout.store.reconciling import Known

_FIX = "`checkout reconcile --fix` gives it back"
_SEND = "`checkout reconcile --fix` sends it back"
_WRITE = "`checkout reconcile --fix` writes it down as a refund of the order"
_PEOPLE = "look at the payment at the gateway and at the order, and settle the difference with the buyer"


def held(payment: Payment) -> int:
    """What is authorized and neither captured nor voided."""
    return payment.authorized - payment.captured - payment.voided


def kept(payment: Payment) -> int:
    """What is captured and has not gone back."""
    return payment.captured - payment.refunded


def judge(payment: Payment, first: Known, later: Known) -> list[Finding]:
    """Every finding about a payment that was read between two readings of the shop's books.

    What a running checkout holds is its own matter, so it is none, and closed is final. A refund reaches the
    shop's books as done only after the gateway has it, and as begun before: hence the two readings.
    """
    if later.state is not None and not later.state.closed:
        return []
    findings: list[Finding] = []
    if later.state is State.COMPLETED and later.pays:
        findings += _of_an_order(payment, first, later)
    elif amount := held(payment) + kept(payment):
        kind, why = _nobodys(later)
        have = f"{money_text(amount, payment.currency)} {'are captured' if kept(payment) else 'are authorized'}"
        remedy = _PEOPLE if kind is FindingKind.RESOLVED_BY_HAND else _FIX
        findings.append(_finding(payment, kind, amount, f"{have}, and {why}", remedy))
    if unowed := payment.unowed - payment.returned:
        detail = f"a bank sent {money_text(unowed, payment.currency)} that nobody owed"
        findings.append(_finding(payment, FindingKind.UNOWED, unowed, detail, _SEND))
    return findings


def _nobodys(known: Known) -> tuple[FindingKind, str]:
    if known.state is None:
        return FindingKind.UNKNOWN_CHECKOUT, "the shop has no such checkout"
    if known.by_hand:
        return FindingKind.RESOLVED_BY_HAND, "people said that they have settled it by hand"
    if known.state is State.COMPLETED:
        return FindingKind.BESIDE_THE_ORDER, "the checkout's order is paid by another payment"
    return FindingKind.ENDED_CHECKOUT, f"the checkout is {known.state}"


def _of_an_order(payment: Payment, first: Known, later: Known) -> list[Finding]:
    findings: list[Finding] = []
    total, currency = later.total, payment.currency
    if (payment.captured, currency) != (total, later.currency) or held(payment):
        detail = (
            f"{money_text(payment.captured, currency)} are captured and {money_text(held(payment), currency)} held, "
            f"the order's total is {money_text(total, later.currency or currency)}"
        )
        difference = abs(payment.captured - total) + held(payment)
        findings.append(_finding(payment, FindingKind.CAPTURED_DIFFERS, difference, detail, _PEOPLE))
    known = f"{money_text(payment.refunded, currency)} went back at the gateway, the shop knows of "
    if (amount := payment.refunded - later.refunded - later.refunding) > 0:
        detail = known + money_text(payment.refunded - amount, currency)
        findings.append(_finding(payment, FindingKind.REFUNDED_ELSEWHERE, amount, detail, _WRITE))
    if payment.refunded < first.refunded:
        detail = known + money_text(first.refunded, currency)
        amount = first.refunded - payment.refunded
        findings.append(_finding(payment, FindingKind.REFUND_MISSING, amount, detail, _PEOPLE))
    return findings


def _finding(payment: Payment, kind: FindingKind, amount: int, detail: str, remedy: str) -> Finding:
    return Finding(
        kind, payment.payment_id, payment.checkout_id, payment.attempt_id, payment.currency, amount, detail, remedy
    )
