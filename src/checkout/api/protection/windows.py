"""Where requests are counted: in PostgreSQL by a storage of our own for the library ``limits``, or in Redis."""

import asyncio
import itertools
import time
from typing import Any

import structlog
from limits import RateLimitItem
from limits.aio.storage import MovingWindowSupport, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool

from checkout.api.database import Database
from checkout.store import rate_limits
from checkout.store.ping import ping

log = structlog.get_logger(__name__)

#: How many requests are counted between two looks for rows that count for nothing any more.
CLEAN_EVERY = 200
#: Seconds that Redis has to answer; then PostgreSQL counts, and Redis is left alone for so many seconds.
REDIS_PATIENCE = 0.5
REDIS_PAUSE = 10.0


class PostgresStorage(Storage, MovingWindowSupport):
    """Moving windows in a table that all processes of the API share: one statement for a request that is let through.

    Every method raises Problem ``database_unavailable``.
    """

    STORAGE_SCHEME = None

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._counted = itertools.count(1)

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """None to be wrapped: the database's faults are problems already."""
        return ()

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Whether so many more are let through; then they count."""
        taken = await self._database.write_directly(
            lambda session: rate_limits.acquire(session, key, limit=limit, window=expiry, amount=amount)
        )
        if next(self._counted) % CLEAN_EVERY == 0:
            await self._database.write_directly(rate_limits.forget_old)
        return taken

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        """When the oldest that counts was let through, by this process's clock, and how many count."""
        window = await self._database.read_directly(lambda session: rate_limits.read_window(session, key, expiry))
        return time.time() - window.age, window.count

    async def check(self) -> bool:
        """Whether the database answers."""
        return await self._database.read(ping)

    async def reset(self) -> int | None:
        """Forget everything; gives how many keys that were."""
        return await self._database.write_directly(lambda session: rate_limits.forget(session, None))

    async def clear(self, key: str) -> None:
        """Forget what counts under a key."""
        await self._database.write_directly(lambda session: rate_limits.forget(session, key))

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Of another strategy: in a fixed window twice the limit may pass at its edge."""
        raise NotImplementedError("only moving windows are kept")

    get: Any = incr
    get_expiry: Any = incr


class Windows:
    """Counts requests by the library's moving windows: in no stretch of a limit's time do more than its number pass."""

    def __init__(self, database: Database, redis_url: str | None) -> None:
        self._postgres = MovingWindowRateLimiter(PostgresStorage(database))
        self._connections = None if redis_url is None else ConnectionPool.from_url(redis_url)
        self._redis = None if self._connections is None else MovingWindowRateLimiter(_redis(self._connections))
        self._redis_again_at = 0.0

    async def hit(self, item: RateLimitItem, *key: str) -> float | None:
        """Count a request, or give the seconds until one would be let through.

        A Redis that does not answer is no reason to stop selling, nor to let everybody through: PostgreSQL counts
        meanwhile, from nothing. Raises Problem ``database_unavailable``.
        """
        if self._redis is not None and time.monotonic() >= self._redis_again_at:
            try:
                async with asyncio.timeout(REDIS_PATIENCE):
                    return await _hit(self._redis, item, key)
            except (StorageError, TimeoutError, OSError) as error:
                self._redis_again_at = time.monotonic() + REDIS_PAUSE
                log.warning("redis_away", error=type(error.__cause__ or error).__name__, counting_in="postgresql")
        return await _hit(self._postgres, item, key)

    async def close(self) -> None:
        """Give up connections to Redis."""
        if self._connections is not None:
            await self._connections.aclose()


def _redis(connections: ConnectionPool) -> RedisStorage:
    options: Any = {"connection_pool": connections}
    return RedisStorage("redis://", wrap_exceptions=True, implementation="redispy", key_prefix="checkout", **options)


async def _hit(limiter: MovingWindowRateLimiter, item: RateLimitItem, key: tuple[str, ...]) -> float | None:
    if await limiter.hit(item, *key):
        return None
    return max(0.0, (await limiter.get_window_stats(item, *key)).reset_time - time.time())
