"""What Stripe's keys tell by their beginnings: what they are for, and whether money is real (https://docs.stripe.com/keys)."""

import re

_FORMS = {
    "stripe_secret_key": re.compile(r"(?:sk|rk)_(?:test|live)_\w+"),
    "stripe_publishable_key": re.compile(r"pk_(?:test|live)_\w+"),
    "stripe_webhook_secret": re.compile(r"whsec_\S+"),
}


def check_key(setting: str, key: str) -> None:
    """Raise ValueError where a key cannot be the one that the setting asks for."""
    if not _FORMS[setting].fullmatch(key):
        raise ValueError("not such a key")


def is_live(key: str) -> bool:
    """Whether a secret or publishable key moves real money; else it is one of test mode or of a sandbox."""
    return "_live_" in key[:8]
