"""Whether the database answers."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def ping(session: AsyncSession) -> bool:
    """True where the database answers; raises what SQLAlchemy raises where it does not."""
    return await session.scalar(text("SELECT 1")) is not None
