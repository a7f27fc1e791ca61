"""Stripe for the tests: ``localstripe`` as a process of its own, extended by what Stripe's documentation says.

localstripe (PyPI) lacks idempotency keys, declines and amount checks at manual capture, ``payment_method`` tokens, 3-D
Secure as a redirect, filters by time in lists, and most events. Each extension here names the page that it follows.
The adapter knows nothing of it.
"""
