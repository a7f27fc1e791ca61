"""Stripe behind the gateway port: PaymentIntents with manual capture, one for each payment attempt."""
