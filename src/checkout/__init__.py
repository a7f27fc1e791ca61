"""Durable Checkout: each checkout is one Temporal workflow that takes a cart through seven phases."""
