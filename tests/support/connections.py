"""Watches that nobody holds a connection to the database while he calls the payment gateway."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.payments.port import Gateway

#: The operations of the port that call the gateway for one payment.
CALLS = frozenset({"create", "confirm", "capture", "cancel", "refund", "return_unowed", "fetch"})


class Connections:
    """How many connections of a pool each task holds, and the gateway calls during which its caller held one."""

    def __init__(self, engine: AsyncEngine) -> None:
        #: The calls that were made, and of these the ones made while a connection was held.
        self.calls: Counter[str] = Counter()
        self.offences: list[str] = []
        # By the connection: a session is closed by a task of its own, for which the holder waits.
        self._taken: dict[Any, Any] = {}
        pool = engine.sync_engine.pool
        event.listen(pool, "checkout", lambda _, record, __: self._taken.update({record: asyncio.current_task()}))
        event.listen(pool, "checkin", lambda _, record: self._taken.pop(record, None))

    @property
    def held(self) -> int:
        """How many the current task holds."""
        return list(self._taken.values()).count(asyncio.current_task())

    def watching(self, gateway: Gateway) -> Gateway:
        """The gateway, whose calls are looked at when they leave and when they are answered."""
        return cast(Gateway, _Watched(gateway, self))


class _Watched:
    def __init__(self, real: Gateway, connections: Connections) -> None:
        self._real, self._connections = real, connections

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._real, name)
        return self._looking(name, called) if name in CALLS else called

    def _looking(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        connections = self._connections

        async def looked_at(*positional: Any, **values: Any) -> Any:
            connections.calls[name] += 1
            before = connections.held
            try:
                return await call(*positional, **values)
            finally:
                if before or connections.held:
                    connections.offences.append(f"{name} of {positional} {values}")

        return looked_at
