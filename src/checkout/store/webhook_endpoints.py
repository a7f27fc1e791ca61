"""Outgoing webhooks as admins keep them: endpoints, and the log of deliveries."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from checkout.domain.errors import DefiniteFailure
from checkout.domain.webhooks import DeliveryStatus
from checkout.store.errors import NotFound
from checkout.store.tables import WebhookAttempt, WebhookDelivery, WebhookEndpoint

#: So many there may be: each is asked for with every event of every checkout.
MOST = 50
#: Those who add wait for each other at this advisory lock.
_ADD_LOCK = 0x3_0C_4E_C0
#: For so long a secret that was replaced still signs.
OVERLAP = timedelta(hours=24)


def new_endpoint_id() -> str:
    """An endpoint: ``whe_`` and 96 random bits."""
    return f"whe_{secrets.token_hex(12)}"


def new_secret() -> str:
    """A secret as Standard Webhooks has it: ``whsec_`` and 32 random bytes in base 64."""
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


async def list_endpoints(session: AsyncSession) -> Sequence[WebhookEndpoint]:
    """All of them, the oldest first."""
    statement = select(WebhookEndpoint).order_by(col(WebhookEndpoint.created_at), col(WebhookEndpoint.id))
    return list((await session.execute(statement)).scalars())


async def read_endpoint(session: AsyncSession, endpoint_id: str) -> WebhookEndpoint:
    """One of them. Raises NotFound ``webhook_not_found``."""
    found = await session.get(WebhookEndpoint, endpoint_id)
    if found is None:
        raise NotFound("webhook_not_found", "there is no such endpoint", {"endpoint_id": endpoint_id[:64]})
    return found


async def add_endpoint(session: AsyncSession, url: str, description: str, events: list[str]) -> WebhookEndpoint:
    """A new one, with a secret of its own. Raises DefiniteFailure ``too_many_webhooks``."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADD_LOCK})
    if int((await session.execute(select(func.count()).select_from(WebhookEndpoint))).scalar_one()) >= MOST:
        detail = f"there are {MOST} endpoints, as many as may be: remove one, or have one pass events on to others"
        raise DefiniteFailure("too_many_webhooks", detail, {"max_endpoints": MOST})
    endpoint = WebhookEndpoint(
        id=new_endpoint_id(), url=url, description=description, events=events, secret=new_secret()
    )
    session.add(endpoint)
    await session.flush()
    await session.refresh(endpoint)
    return endpoint


async def change_endpoint(session: AsyncSession, endpoint_id: str, changes: dict[str, Any]) -> WebhookEndpoint:
    """Change columns; one that is enabled again begins with a clean slate. Raises NotFound ``webhook_not_found``."""
    endpoint = await read_endpoint(session, endpoint_id)
    if changes.get("enabled") and not endpoint.enabled:
        changes = {**changes, "disabled_reason": None, "failing_since": None}
    for name, value in changes.items():
        setattr(endpoint, name, value)
    endpoint.updated_at = datetime.now(UTC)
    await session.flush()
    return endpoint


async def rotate_secret(session: AsyncSession, endpoint_id: str) -> WebhookEndpoint:
    """A new secret; the one before signs beside it for a day. Raises NotFound ``webhook_not_found``."""
    endpoint = await read_endpoint(session, endpoint_id)
    now = datetime.now(UTC)
    return await change_endpoint(
        session,
        endpoint_id,
        {"previous_secret": endpoint.secret, "previous_until": now + OVERLAP, "secret": new_secret()},
    )


async def delete_endpoint(session: AsyncSession, endpoint_id: str) -> None:
    """Forget it, and its deliveries. Raises NotFound ``webhook_not_found``."""
    await session.delete(await read_endpoint(session, endpoint_id))


async def list_deliveries(
    session: AsyncSession,
    *,
    endpoint_id: str | None,
    status: DeliveryStatus | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[WebhookDelivery]:
    """The newest deliveries that fit, older than ``after``."""
    made = (col(WebhookDelivery.created_at), col(WebhookDelivery.id))
    statement = select(WebhookDelivery).order_by(*(column.desc() for column in made)).limit(limit)
    if endpoint_id is not None:
        statement = statement.where(col(WebhookDelivery.endpoint_id) == endpoint_id)
    if status is not None:
        statement = statement.where(col(WebhookDelivery.status) == status.value)
    if after is not None:
        statement = statement.where(tuple_(*made) < tuple_(*after))
    return list((await session.execute(statement)).scalars())


async def read_delivery(session: AsyncSession, delivery_id: str) -> WebhookDelivery:
    """One delivery. Raises NotFound ``webhook_delivery_not_found``."""
    found = await session.get(WebhookDelivery, delivery_id)
    if found is None:
        raise NotFound("webhook_delivery_not_found", "there is no such delivery", {"delivery_id": delivery_id[:64]})
    return found


async def attempts_of(session: AsyncSession, delivery_id: str) -> Sequence[WebhookAttempt]:
    """What came of each attempt, the first one first."""
    statement = select(WebhookAttempt).where(col(WebhookAttempt.delivery_id) == delivery_id)
    return list((await session.execute(statement.order_by(col(WebhookAttempt.number)))).scalars())


async def begin_again(session: AsyncSession, delivery_id: str) -> WebhookDelivery:
    """A delivery is to be made once more, whatever came of it before. Raises NotFound."""
    delivery = await read_delivery(session, delivery_id)
    delivery.status = DeliveryStatus.PENDING.value
    delivery.failing_since = delivery.next_try_at = delivery.ended_at = None
    await session.flush()
    return delivery
