"""Settle to zero: the one way in which money is given back, whether it was authorized or captured.

Void and refund are the same act seen at two moments: which of them is needed can change between asking and doing
(a capture that was on its way lands in between). So it is a loop over the gateway's own word, not a single call.
"""

from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Gateway, Payment, Refused, Unavailable

#: How often the state may change under our hands before the rest is left to a later, backed-off attempt.
ROUNDS = 10


async def settle_to_zero(gateway: Gateway, payment_id: str, keys: AttemptKeys) -> Payment:
    """Fetch; return what is unowed, refund what is captured, cancel what is not; repeat until nothing is left.

    Returns the settled payment: void or wholly refunded, and refusing any later confirm. Raises ``Unavailable`` when
    it is to be tried again, ``Refused`` when the gateway refuses although nothing has changed since we looked: that
    one is for people to resolve.
    """
    seen: Payment | None = None
    refused: Refused | None = None
    for _ in range(ROUNDS):
        payment = await gateway.fetch(payment_id)
        if payment.settled:
            return payment
        if refused is not None and payment == seen:
            raise refused
        seen, refused = payment, None
        try:
            await _give_back(gateway, payment, keys)
        except Refused as refusal:
            refused = refusal
    raise Unavailable(f"{payment_id} kept changing while it was being settled")


async def _give_back(gateway: Gateway, payment: Payment, keys: AttemptKeys) -> None:
    left = payment.captured - payment.refunded
    if unowed := payment.unowed - payment.returned:
        key = keys.return_unowed(returned=payment.returned, until=payment.unowed)
        await gateway.return_unowed(payment.payment_id, amount=unowed, key=key)
    elif left > 0:
        key = keys.refund(refunded=payment.refunded, until=payment.captured)
        await gateway.refund(payment.payment_id, amount=left, key=key)
    else:
        await gateway.cancel(payment.payment_id, key=keys.cancel())
