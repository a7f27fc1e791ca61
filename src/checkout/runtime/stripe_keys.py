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


def check_together(secret_key: str, publishable_key: str | None, api_base: str, prefix: str) -> None:
    """Raise ValueError where keys of test and live are mixed, or a live one would go to somebody else than Stripe.

    ``prefix``: that of the variables, which the message names.
    """
    live = is_live(secret_key)
    ours = f"{prefix}STRIPE_SECRET_KEY is of {'live' if live else 'test'} mode"
    if publishable_key is not None and is_live(publishable_key) is not live:
        raise ValueError(f"{ours} and {prefix}STRIPE_PUBLISHABLE_KEY is not: take both from the same mode")
    if live and not api_base.startswith("https://"):
        raise ValueError(f"{ours} and {prefix}STRIPE_API_BASE is not https: real money goes to Stripe alone")
