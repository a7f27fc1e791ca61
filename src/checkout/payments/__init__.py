"""Money: the gateway port, what settles a payment to zero, and the adapters behind the port."""
