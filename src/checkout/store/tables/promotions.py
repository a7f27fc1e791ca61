"""What lowers prices: coupons, automatic promotions, and who redeemed them. Money in minor units."""

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, money, now, text, time


class Coupon(Table, table=True):
    """A discount for those who know its code (upper case).

    ``kind``: ``percentage`` (``basis_points``), ``fixed_amount`` (``amount`` in ``currency``) or ``free_shipping``.
    ``redeemed`` counts the redemptions that were not given back; the database never lets it pass ``limit_total`` (G1).
    """

    __tablename__ = "coupons"
    __table_args__ = (
        CheckConstraint("code = upper(code)", name="code"),
        CheckConstraint(
            "(kind = 'percentage' AND basis_points BETWEEN 1 AND 10000 AND amount IS NULL) OR "
            "(kind = 'fixed_amount' AND amount > 0 AND currency IS NOT NULL AND basis_points IS NULL) OR "
            "(kind = 'free_shipping' AND amount IS NULL AND basis_points IS NULL)",
            name="kind",
        ),
        CheckConstraint("ends_at IS NULL OR starts_at IS NULL OR starts_at < ends_at", name="window"),
        CheckConstraint("limit_total >= 0 AND limit_per_customer >= 0", name="limits"),
        CheckConstraint("redeemed >= 0 AND (limit_total IS NULL OR redeemed <= limit_total)", name="redeemed"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    code: str = text(unique=True)
    name: str = text(default="")
    kind: str = text()
    basis_points: int | None = None
    amount: int | None = money(nullable=True)
    #: The currency of ``amount`` and ``minimum_amount``; the shop's base currency where there is none.
    currency: str | None = text(nullable=True)
    minimum_amount: int | None = money(nullable=True)
    starts_at: Moment = time(nullable=True)
    ends_at: Moment = time(nullable=True)
    limit_total: int | None = None
    limit_per_customer: int | None = None
    #: Whether it goes together with other discounts; the precedence is the pricing rules'.
    stackable: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    priority: int = Field(default=100, sa_column_kwargs={"server_default": "100"})
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    redeemed: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    created_at: Moment = now()
    updated_at: Moment = now()


class Promotion(Table, table=True):
    """A discount that applies by itself.

    ``kind``: ``product_percentage`` (product by ``product_handle``), ``category_percentage``, ``order_percentage`` and
    ``order_fixed_amount`` (from ``minimum_amount`` on), ``buy_x_get_y`` (of ``buy_quantity + get_quantity`` units of
    the product or category the cheapest ``get_quantity`` are lowered by ``basis_points``).
    """

    __tablename__ = "promotions"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'product_percentage' AND product_handle IS NOT NULL AND basis_points IS NOT NULL) OR "
            "(kind = 'category_percentage' AND category IS NOT NULL AND basis_points IS NOT NULL) OR "
            "(kind = 'order_percentage' AND basis_points IS NOT NULL) OR "
            "(kind = 'order_fixed_amount' AND amount > 0 AND currency IS NOT NULL) OR "
            "(kind = 'buy_x_get_y' AND buy_quantity > 0 AND get_quantity > 0 AND basis_points IS NOT NULL AND "
            "(product_handle IS NOT NULL OR category IS NOT NULL))",
            name="kind",
        ),
        CheckConstraint("basis_points BETWEEN 1 AND 10000", name="basis_points"),
        CheckConstraint("ends_at IS NULL OR starts_at IS NULL OR starts_at < ends_at", name="window"),
        CheckConstraint("limit_total >= 0 AND limit_per_customer >= 0", name="limits"),
        CheckConstraint("redeemed >= 0 AND (limit_total IS NULL OR redeemed <= limit_total)", name="redeemed"),
        Index("ix_promotions_active", "priority", postgresql_where="active"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    code: str = text(unique=True)
    name: str = text()
    kind: str = text()
    product_handle: str | None = text(nullable=True)
    category: str | None = text(nullable=True)
    basis_points: int | None = None
    amount: int | None = money(nullable=True)
    #: The currency of ``amount`` and ``minimum_amount``; the shop's base currency where there is none.
    currency: str | None = text(nullable=True)
    minimum_amount: int | None = money(nullable=True)
    buy_quantity: int | None = None
    get_quantity: int | None = None
    starts_at: Moment = time(nullable=True)
    ends_at: Moment = time(nullable=True)
    limit_total: int | None = None
    limit_per_customer: int | None = None
    stackable: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    priority: int = Field(default=100, sa_column_kwargs={"server_default": "100"})
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    redeemed: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    created_at: Moment = now()
    updated_at: Moment = now()


class CouponRedemption(Table, table=True):
    """A coupon that a checkout redeemed, until it is given back; ``redeemer`` is whom the limit per customer counts."""

    __tablename__ = "coupon_redemptions"
    __table_args__ = (
        Index("ix_coupon_redemptions_redeemer", "coupon_id", "redeemer", postgresql_where="given_back_at IS NULL"),
    )

    checkout_id: str = text(foreign_key="checkouts.id", primary_key=True)
    coupon_id: int = Field(foreign_key="coupons.id", primary_key=True, sa_type=BigInteger)
    redeemer: str = text()
    redeemed_at: Moment = now()
    given_back_at: Moment = time(nullable=True)


class PromotionRedemption(Table, table=True):
    """A promotion with a limit that a checkout used, until it is given back."""

    __tablename__ = "promotion_redemptions"
    __table_args__ = (
        Index(
            "ix_promotion_redemptions_redeemer", "promotion_id", "redeemer", postgresql_where="given_back_at IS NULL"
        ),
    )

    checkout_id: str = text(foreign_key="checkouts.id", primary_key=True)
    promotion_id: int = Field(foreign_key="promotions.id", primary_key=True, sa_type=BigInteger)
    redeemer: str = text()
    redeemed_at: Moment = now()
    given_back_at: Moment = time(nullable=True)
