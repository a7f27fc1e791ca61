"""What the test cards do: one row for each token, the same every time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """A test card: what confirming and capturing a payment with it leads to.

    ``decline``: the gateway's own decline code; ``outages``: how many confirms are answered with 503 before one
    counts; ``delay``: seconds until a confirm is answered, after it took effect (so an answer can be lost);
    ``percent``: how much of the amount is authorized; ``captures``: whether a capture goes through; ``approval``:
    whether the buyer has to approve first (3-D Secure), and only then the rest of the row counts.
    """

    decline: str | None = None
    outages: int = 0
    delay: float = 0.0
    percent: int = 100
    captures: bool = True
    approval: bool = False


UNKNOWN = Card(decline="unknown_token")
#: What is behind a PayPal account and a bank transfer: money that is there, without a card.
PAYPAL = Card(approval=True)
ACCOUNT = Card()

CARDS = {
    "tok_visa": Card(),
    "tok_chargeDeclined": Card(decline="generic_decline"),
    "tok_insufficientFunds": Card(decline="insufficient_funds"),
    "tok_expiredCard": Card(decline="expired_card"),
    # Declined by nobody: the bank was not reached.
    "tok_processingError": Card(decline="processing_error"),
    "tok_3ds": Card(approval=True),
    # Approved by the buyer, and then declined by the bank.
    "tok_3dsInsufficientFunds": Card(approval=True, decline="insufficient_funds"),
    "tok_captureFails": Card(captures=False),
    "tok_slow": Card(delay=3.0),
    "tok_gatewayDown": Card(outages=2),
    # As a prepaid card does that holds less than what was asked for.
    "tok_partialAuthorization": Card(percent=50),
}


def behaviour(method: str, token: str | None) -> Card:
    """What pays: the card that a token stands for (an unknown one is declined), or the account of another method."""
    if method == "paypal":
        return PAYPAL
    if method == "bank_transfer":
        return ACCOUNT
    return CARDS.get(token or "", UNKNOWN)
