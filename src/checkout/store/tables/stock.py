"""What there is: warehouses, stock for each variant in each of them, what checkouts hold, and the movements ledger."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Identity, Index
from sqlalchemy import Text as TextType
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, now, text


class Warehouse(Table, table=True):
    """A place that ships. A lower ``priority`` is preferred; ``countries`` are those it serves, none meaning all."""

    __tablename__ = "warehouses"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    code: str = text(unique=True)
    name: str = text()
    priority: int = Field(default=100, sa_column_kwargs={"server_default": "100"})
    countries: list[str] = Field(
        default_factory=list, sa_type=ARRAY(TextType), nullable=False, sa_column_kwargs={"server_default": "{}"}
    )
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    created_at: Moment = now()


class Stock(Table, table=True):
    """Units of a variant in a warehouse. What may be sold is ``on_hand - reserved``, never less than none (G1).

    ``imported_quantity`` is the figure that the last product import gave: a repeated import changes on_hand only where
    the file's figure changed.
    """

    __tablename__ = "stock"
    __table_args__ = (CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="no_oversell"),)

    variant_id: int = Field(foreign_key="variants.id", primary_key=True, sa_type=BigInteger)
    warehouse_id: int = Field(foreign_key="warehouses.id", primary_key=True, index=True, sa_type=BigInteger)
    on_hand: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    reserved: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    imported_quantity: int | None = None
    updated_at: Moment = now()


def _stock_row() -> ForeignKeyConstraint:
    """What moves or holds stock points to its stock row, which the same transaction has locked: the check is free."""
    return ForeignKeyConstraint(["variant_id", "warehouse_id"], ["stock.variant_id", "stock.warehouse_id"])


class Reservation(Table, table=True):
    """Units of a variant in a warehouse that one checkout holds: ``held``, then ``committed`` or ``released``."""

    __tablename__ = "reservations"
    __table_args__ = (
        _stock_row(),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("status IN ('held', 'committed', 'released')", name="status"),
        Index("ix_reservations_held", "variant_id", "warehouse_id", postgresql_where="status = 'held'"),
    )

    checkout_id: str = text(foreign_key="checkouts.id", primary_key=True)
    variant_id: int = Field(primary_key=True, sa_type=BigInteger)
    warehouse_id: int = Field(primary_key=True, sa_type=BigInteger)
    quantity: int
    status: str = text(default="held")
    created_at: Moment = now()
    updated_at: Moment = now()


class StockMovement(Table, table=True):
    """One change of stock. Their sums over a variant and warehouse are its on_hand and reserved.

    Of each kind a checkout has at most one for a variant and warehouse, so that a repeated phase cannot double it; and
    a refund after the sale, which names itself, has at most one.
    """

    __tablename__ = "stock_movements"
    __table_args__ = (
        _stock_row(),
        CheckConstraint(
            "kind IN ('received', 'reserved', 'released', 'committed', 'restocked', 'adjusted')", name="kind"
        ),
        Index("ix_stock_movements_variant_id_warehouse_id", "variant_id", "warehouse_id", "id"),
        Index(
            "uq_stock_movements_once",
            "checkout_id",
            "variant_id",
            "warehouse_id",
            "kind",
            "refund_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where="checkout_id IS NOT NULL",
        ),
        Index(
            "uq_stock_movements_refund",
            "refund_id",
            "variant_id",
            "warehouse_id",
            unique=True,
            postgresql_where="refund_id IS NOT NULL",
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    variant_id: int = Field(sa_type=BigInteger)
    warehouse_id: int = Field(sa_type=BigInteger)
    kind: str = text()
    on_hand_delta: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    reserved_delta: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    checkout_id: str | None = text(nullable=True)
    reason: str | None = text(nullable=True)
    refund_id: str | None = text(nullable=True, foreign_key="refunds.id")
    created_at: Moment = now()
