"""Whether the payment gateway answers, asked seldom: monitors look every second, and the gateway is somebody else's."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from checkout.api.admin.findings import GATEWAY_AWAY, GATEWAY_REMEDY
from checkout.api.models.statistics import Reason
from checkout.payments.adapters import connect_gateway
from checkout.payments.port import GatewayError
from checkout.runtime.settings import Settings, SettingsError

#: Seconds that the gateway has to answer.
GATEWAY_WAIT = 3.0
#: Seconds for which its answer is taken for what it would answer now.
REMEMBERED = 10.0


class GatewayHealth:
    """The gateway as this process last saw it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asking = asyncio.Lock()
        self._seen: Sequence[Reason] = ()
        self._until = 0.0

    async def reasons(self) -> Sequence[Reason]:
        """Why nobody can pay; nothing where the gateway answers, or this process has no key to ask it with."""
        clock = asyncio.get_running_loop().time
        async with self._asking:
            if clock() >= self._until:
                self._seen = await self._ask()
                self._until = clock() + REMEMBERED
            return self._seen

    async def _ask(self) -> Sequence[Reason]:
        try:
            gateway = connect_gateway(self._settings)
        except SettingsError:
            return ()
        try:
            async with asyncio.timeout(GATEWAY_WAIT):
                async for _ in gateway.list_payments(since=datetime.now(UTC)):
                    break
        except (GatewayError, TimeoutError) as error:
            detail = f"{GATEWAY_AWAY}: {str(error) or 'timeout'}."
            return (Reason(code="gateway", level="unhealthy", detail=detail, remedy=GATEWAY_REMEDY),)
        finally:
            await gateway.close()
        return ()
