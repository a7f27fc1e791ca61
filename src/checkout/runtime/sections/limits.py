"""How often, and how much at once, one buyer may ask; where that is counted, and whose word on addresses is taken."""

from pydantic_settings import BaseSettings

from checkout.runtime.setting_kinds import CAPS, RATES, Cap, Networks, Rate, RedisUrl, setting, text


class LimitSettings(BaseSettings):
    """Rate limits, caps on running checkouts, and proxies."""

    rate_limit: Rate = text("5/minute", "Starts and payments together, of a customer or session", RATES)
    rate_limit_address: Rate = text("30/minute", "Starts and payments together, from an address", RATES)
    rate_limit_start: Rate | None = text(
        None, "Starts of a customer or session, counted by themselves; unset: with RATE_LIMIT", RATES
    )
    rate_limit_start_address: Rate | None = text(
        None, "Starts from an address, counted by themselves; unset: with RATE_LIMIT_ADDRESS", RATES
    )
    rate_limit_payment: Rate | None = text(
        None, "Payments of a customer or session, counted by themselves; unset: with RATE_LIMIT", RATES
    )
    rate_limit_payment_address: Rate | None = text(
        None, "Payments from an address, counted by themselves; unset: with RATE_LIMIT_ADDRESS", RATES
    )
    rate_limit_wrong_tokens: Rate = text(
        "10/minute", "Wrong admin tokens from an address; beyond that none from there is looked at", RATES
    )
    max_running_checkouts: Cap = setting(3, "Checkouts that a customer or session runs at once", CAPS)
    max_running_checkouts_address: Cap = setting(50, "Checkouts that run at once from an address", CAPS)
    redis_url: RedisUrl | None = text(
        None,
        "Redis or Valkey that counts for the rate limits; unset: PostgreSQL does",
        "redis://host:port/database, or rediss://…",
    )
    trusted_proxies: Networks = setting(
        (),
        "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, separated by commas",
        "networks such as 10.0.0.0/8, or addresses",
    )
