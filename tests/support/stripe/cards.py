"""Test cards: the names and numbers of https://docs.stripe.com/testing, and what they do.

The last six are not Stripe's: they stand for what happens there too, and has no test card.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """``code``, ``decline_code``: why it is declined. ``authenticates``: only after 3-D Secure. ``percent``: how much
    of the amount is authorized. ``lapses``: the authorization has expired when it is to be captured. ``outages``: how
    many confirms fail before one counts. ``looks``: how often it is looked at before the bank has answered.
    """

    number: str
    code: str | None = None
    decline_code: str | None = None
    authenticates: bool = False
    percent: int = 100
    lapses: bool = False
    outages: int = 0
    looks: int = 0


CARDS = {
    "pm_card_visa": Card("4242424242424242"),
    "pm_card_mastercard": Card("5555555555554444"),
    "pm_card_visa_chargeDeclined": Card("4000000000000002", "card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card("4000000000009995", "card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": Card("4000000000009987", "card_declined", "lost_card"),
    "pm_card_chargeDeclinedExpiredCard": Card("4000000000000069", "expired_card", "expired_card"),
    "pm_card_chargeDeclinedProcessingError": Card("4000000000000119", "processing_error"),
    "pm_card_authenticationRequired": Card("4000002760003184", authenticates=True),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "4000008260003178", "card_declined", "insufficient_funds", authenticates=True
    ),
    "pm_card_issuerNotAvailable": Card("4000000000000036", "card_declined", "issuer_not_available"),
    "pm_card_authenticationRequiredIssuerNotAvailable": Card(
        "4000000000000044", "card_declined", "issuer_not_available", authenticates=True
    ),
    "pm_card_partialAuthorization": Card("4000000000000093", percent=50),
    "pm_card_authorizationLapses": Card("4000000000000085", lapses=True),
    "pm_card_slowBank": Card("4000000000000077", looks=2),
    "pm_card_outage": Card("4000000000000051", outages=2),
}
BY_NUMBER = {card.number: card for card in CARDS.values()}
