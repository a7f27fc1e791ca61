"""Who asks, and whether what they ask for is theirs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Owner:
    """Who asks: a session, and the customer who is signed in there."""

    session_id: str
    customer_id: str | None = None

    @property
    def parameters(self) -> dict[str, str | None]:
        """What statements know of him: ``session_id`` and ``customer_id``."""
        return {"session_id": self.session_id, "customer_id": self.customer_id}

    def owns(self, session_id: str, customer_id: str | None) -> bool:
        """Whether what belongs to this session and customer belongs to the one who asks."""
        return session_id == self.session_id or (customer_id is not None and customer_id == self.customer_id)
