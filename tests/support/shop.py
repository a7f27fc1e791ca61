"""A small shop for tests, written straight into its tables: products, stock, taxes, shipping, carts that can be sold.

Two warehouses (``FRA`` first, then ``LYS``); Germany with 19 % and 7 %, France with 20 %; shipping for 490 EUR cents,
900 US cents. Amounts in minor units.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CursorResult, text

from checkout.domain.ids import new_cart_id, new_session_id
from checkout.runtime.database import Sessions

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "Unter den Linden 1",
    "city": "Berlin",
    "postal_code": "10117",
    "country": "DE",
}


@dataclass
class Shop:
    """Writes rows of the shop; ``warehouses`` are ids by code, ``variants`` by SKU."""

    sessions: Sessions
    warehouses: dict[str, int] = field(default_factory=dict)
    variants: dict[str, int] = field(default_factory=dict)

    async def open(self) -> "Shop":
        """The warehouses, tax rates and shipping options."""
        for code, priority in (("FRA", 1), ("LYS", 2)):
            await self.warehouse(code, priority)
        await self.execute(
            "INSERT INTO tax_rates (country, tax_class, percent) VALUES "
            "('DE', 'standard', 19), ('DE', 'reduced', 7), ('FR', 'standard', 20)"
        )
        await self.execute(
            "INSERT INTO shipping_options (currency, code, name, amount) VALUES "
            "('EUR', 'standard', 'Standard', 490), ('EUR', 'express', 'Express', 1490), "
            "('USD', 'standard', 'Standard', 900)"
        )
        return self

    async def execute(self, statement: str, **parameters: Any) -> Any:
        """Run one statement and commit; gives the first column of the first row, None where there is none."""
        async with self.sessions() as session, session.begin():
            result = await session.execute(text(statement), parameters)
            row = result.first() if isinstance(result, CursorResult) and result.returns_rows else None
        return None if row is None else row[0]

    async def execute_all(self, statements: list[str]) -> None:
        """Run several statements in one transaction."""
        async with self.sessions() as session, session.begin():
            for statement in statements:
                await session.execute(text(statement))

    async def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        async with self.sessions() as session:
            return [tuple(row) for row in await session.execute(text(statement), parameters)]

    async def warehouse(self, code: str, priority: int, countries: tuple[str, ...] = ()) -> int:
        """A warehouse; its id."""
        self.warehouses[code] = await self.execute(
            "INSERT INTO warehouses (code, name, priority, countries) VALUES (:code, :code, :priority, :countries) "
            "RETURNING id",
            code=code,
            priority=priority,
            countries=list(countries),
        )
        return self.warehouses[code]

    async def product(
        self, sku: str, price: int | dict[str, int] = 2500, stock: int | dict[str, int] = 100, **columns: Any
    ) -> int:
        """A product of one variant with prices by currency (an int: EUR) and stock by warehouse (an int: FRA).

        ``columns``: category, tax_class, weight_grams, title, variant_title. Gives the variant's id.
        """
        given = {
            "category": "",
            "tax_class": "standard",
            "weight_grams": 0,
            "title": sku,
            "variant_title": "",
        } | columns
        variant = await self.execute(
            "WITH p AS (INSERT INTO products (handle, title, category) VALUES (lower(:sku), :title, :category) "
            "RETURNING id) INSERT INTO variants (product_id, sku, title, tax_class, weight_grams) "
            "SELECT p.id, :sku, :variant_title, :tax_class, :weight_grams FROM p RETURNING id",
            sku=sku,
            **given,
        )
        self.variants[sku] = variant
        for currency, amount in (price if isinstance(price, dict) else {"EUR": price}).items():
            await self.execute("INSERT INTO prices VALUES (:v, :c, :a)", v=variant, c=currency, a=amount)
        for code, quantity in (stock if isinstance(stock, dict) else {"FRA": stock}).items():
            await self.receive(sku, quantity, code)
        return int(variant)

    async def receive(self, sku: str, quantity: int, warehouse: str = "FRA") -> None:
        """Units come in, with their movement."""
        await self.execute(
            "WITH s AS (INSERT INTO stock (variant_id, warehouse_id, on_hand) VALUES (:v, :w, :q) "
            "ON CONFLICT (variant_id, warehouse_id) DO UPDATE SET on_hand = stock.on_hand + excluded.on_hand) "
            "INSERT INTO stock_movements (variant_id, warehouse_id, kind, on_hand_delta) "
            "VALUES (:v, :w, 'received', :q)",
            v=self.variants[sku],
            w=self.warehouses[warehouse],
            q=quantity,
        )

    async def coupon(self, code: str, **columns: Any) -> int:
        """A coupon, 10 % unless told otherwise; its id."""
        given = {"code": code, "kind": "percentage"} | columns
        if given["kind"] == "percentage":
            given.setdefault("basis_points", 1000)
        names = ", ".join(given)
        values = ", ".join(f":{name}" for name in given)
        return int(await self.execute(f"INSERT INTO coupons ({names}) VALUES ({values}) RETURNING id", **given))  # noqa: S608

    async def cart(
        self, lines: dict[str, int], *, currency: str = "EUR", country: str = "DE", **columns: Any
    ) -> "Basket":
        """A cart of a session of its own that is ready to be checked out."""
        basket = Basket(new_cart_id(), columns.pop("session_id", new_session_id()), columns.get("customer_id"))
        given = {
            "id": basket.cart_id,
            "session_id": basket.session_id,
            "currency": currency,
            "email": "ada@example.com",
        }
        given |= columns
        names, values = ", ".join(given), ", ".join(f":{name}" for name in given)
        async with self.sessions() as session, session.begin():
            await session.execute(text(f"INSERT INTO carts ({names}) VALUES ({values})"), given)  # noqa: S608
            for position, (sku, quantity) in enumerate(lines.items(), 1):
                await session.execute(
                    text("INSERT INTO cart_lines (cart_id, variant_id, quantity, position) VALUES (:c, :v, :q, :p)"),
                    {"c": basket.cart_id, "v": self.variants[sku], "q": quantity, "p": position},
                )
            if country:
                await session.execute(
                    text(
                        "INSERT INTO cart_addresses (cart_id, kind, name, line1, city, postal_code, country) "
                        "VALUES (:cart_id, 'shipping', :name, :line1, :city, :postal_code, :country)"
                    ),
                    {**ADDRESS, "cart_id": basket.cart_id, "country": country},
                )
        return basket


@dataclass(frozen=True)
class Basket:
    """A cart and who owns it."""

    cart_id: str
    session_id: str
    customer_id: str | None = None
