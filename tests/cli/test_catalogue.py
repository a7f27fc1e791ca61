"""Imports, stock and verification from the command line: what they print, and their exit codes."""

from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from checkout.cli.main import app
from checkout.store.verification import REPAIR
from tests.store.importing.files import DATA, write_products, write_stock

RECORD = f"Record the movement that is missing: {REPAIR}"


class Command:
    """Runs ``checkout`` commands on the test's database."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url

    def __call__(self, *arguments: object, piped: bytes = b"") -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=piped)

    def ok(self, *arguments: object, piped: bytes = b"") -> list[str]:
        result = self(*arguments, piped=piped)
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    def sql(self, statement: str) -> None:
        with psycopg.connect(self.database_url) as connection:
            connection.execute(statement.encode())


@pytest.fixture
def checkout(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", database_url)
    monkeypatch.setenv("CHECKOUT_DATA_DIR", str(tmp_path / "data"))
    return Command(database_url)


def test_from_an_empty_database_to_stock_that_agrees(checkout: Command, tmp_path: Path) -> None:
    refused = checkout("import-products", DATA / "garden.csv")
    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (
        2,
        "checkout: no warehouse (there are: none yet); make it with: checkout stock add-warehouse main",
    )
    assert checkout.ok("stock", "add-warehouse", "main", "--priority", 1) == ["main: priority 1, serves all countries"]
    # Again, it changes what is given and nothing else.
    assert checkout.ok("stock", "add-warehouse", "main") == ["main: priority 1, serves all countries"]
    assert checkout.ok("stock", "add-warehouse", "main", "--country", "de") == ["main: priority 1, serves DE"]
    assert checkout.ok("stock", "add-warehouse", "main", "--country", "all") == [
        "main: priority 1, serves all countries"
    ]
    assert checkout.ok("stock", "add-warehouse", "north", "--country", "se", "--country", "NO") == [
        "north: priority 100, serves SE, NO"
    ]
    assert checkout.ok("stock", "warehouses") == [
        "code   name   priority  countries  active",
        "main   main   1         all        yes",
        "north  north  100       SE, NO     yes",
    ]
    assert checkout.ok("import-products", DATA / "garden.csv", "--currency", "eur", "--warehouse", "main") == [
        "products: 5 created, 0 updated, 0 unchanged",
        "variants: 7 created, 0 updated, 0 unchanged",
        "stock: 7 created, 0 updated, 0 unchanged",
        "8 rows, 1 of them only with an image, 0 bad",
    ]
    assert checkout.ok("stock", "receive", "RAKE-1", 10, "--warehouse", "north") == [
        "RAKE-1:",
        "warehouse  on hand  reserved  available",
        "main       5        0         5",
        "north      10       0         10",
    ]
    assert checkout.ok("stock", "set", "RAKE-1", 2)[2] == "main       2        0         2"
    assert checkout.ok("import-stock", write_stock(tmp_path / "s.csv", ("GL-M-GR", "north", "3"))) == [
        "stock: 1 created, 0 updated, 0 unchanged",
        "1 row, 0 bad",
    ]
    assert checkout.ok("stock", "show", "GL-M-GR")[2:] == [
        "main       40       0         40",
        "north      3        0         3",
    ]
    assert checkout.ok("verify") == ["9 stock rows, 8 movements, 0 reservations: all agree"]


def test_a_bad_row_is_said_and_ends_with_1(checkout: Command, tmp_path: Path) -> None:
    checkout.ok("stock", "add-warehouse", "main")
    path = write_products(tmp_path / "p.csv", {"Variant Price": "1,5"}, {"Handle": "tea", "Title": "Tea"})
    result = checkout("import-products", path)
    assert result.exit_code == 1
    assert "line 2, Variant Price: '1,5' is no decimal number such as 9.99" in result.stderr
    assert result.stdout.splitlines()[-1] == "2 rows, 1 bad"
    strict = checkout("import-products", path, "--strict")
    assert strict.exit_code == 2
    assert "line 2, Variant Price: '1,5' is no decimal number such as 9.99" in strict.stderr
    assert "checkout: 1 bad row in p.csv: nothing was imported (--strict)" in strict.stderr


def test_a_dash_is_what_comes_in_by_a_pipe(checkout: Command) -> None:
    """Into a container, whose files are its own."""
    checkout.ok("stock", "add-warehouse", "main")
    garden = (DATA / "garden.csv").read_bytes()
    assert checkout.ok("import-products", "-", piped=garden)[-1] == "8 rows, 1 of them only with an image, 0 bad"
    assert "0 created, 0 updated, 7 unchanged" in checkout.ok("import-products", "-", piped=garden)[1]
    counted = b"sku,warehouse,quantity\nRAKE-1,main,3\n"
    assert checkout.ok("import-stock", "-", piped=counted)[0] == "stock: 0 created, 1 updated, 0 unchanged"
    for command, message in (
        (("import-products", "-"), "standard input is empty"),
        (("import-stock", "-"), "standard input, line 1: the header lacks 'sku', "),
        (("import-rates", "-"), "standard input: rates: the file is not well-formed XML"),
    ):
        refused = checkout(*command, piped=b"" if "empty" in message else garden)
        assert (refused.exit_code, refused.stderr.splitlines()[-1][: len(message) + 10]) == (2, f"checkout: {message}")


def test_what_is_refused_is_one_line(checkout: Command) -> None:
    checkout.ok("stock", "add-warehouse", "main")
    checkout.ok("import-products", DATA / "garden.csv")
    for command, message in (
        ("stock set NONE 1", "sku: 'NONE' is no SKU of the shop"),
        ("stock show NONE", "sku: 'NONE' is no SKU of the shop"),
        ("stock set RAKE-1 1 --warehouse x", "warehouse 'x' is not known (there are: main)"),
        ("stock receive RAKE-1 1000000001", "quantity: must be from 1 to 1000000000"),
        ("stock add-warehouse x --country XX", "country: 'XX' is no ISO 3166-1"),
        ("import-products none.csv", "none.csv is not a file"),
        (f"import-products {DATA / 'garden.csv'} --currency EURO", "currency: 'EURO' is no ISO 4217"),
        (f"import-rates {DATA / 'garden.csv'}", "garden.csv: rates: the file is not well-formed XML"),
        (f"import-stock {DATA / 'garden.csv'}", "garden.csv, line 1: the header lacks 'sku', "),
    ):
        result = checkout(*command.split())
        assert result.exit_code == 2
        [line] = result.stderr.splitlines()
        assert line.startswith(f"checkout: {message}")
    assert checkout("stock", "set", "RAKE-1", "--", "-1").exit_code == 2
    assert checkout.ok("verify") == ["7 stock rows, 5 movements, 0 reservations: all agree"]


def test_a_count_below_what_checkouts_hold_names_them(checkout: Command) -> None:
    checkout.ok("stock", "add-warehouse", "main")
    checkout.ok("import-products", DATA / "garden.csv")
    checkout.sql(
        """
        INSERT INTO carts (id, session_id, currency) VALUES ('cart_a', 's', 'EUR');
        INSERT INTO checkouts (id, cart_id, session_id, workflow_id, run_id, state, locked_at)
            VALUES ('chk_a', 'cart_a', 's', 'w', 'r', 'awaiting_payment', now());
        UPDATE stock SET reserved = 4 WHERE variant_id = (SELECT id FROM variants WHERE sku = 'RAKE-1');
        INSERT INTO reservations (checkout_id, variant_id, warehouse_id, quantity)
            SELECT 'chk_a', variant_id, warehouse_id, 3 FROM stock WHERE reserved = 4;
        """
    )
    result = checkout("stock", "set", "RAKE-1", 3)
    assert result.exit_code == 1
    assert "checkout: RAKE-1: 4 units are held by checkouts, so on_hand cannot be 3: chk_a (3)." in result.stderr
    found = checkout("verify")
    assert found.exit_code == 1
    assert found.stdout.splitlines() == [
        f"RAKE-1 in main: reserved is 4, by the reservations it is 3. Set it to what checkouts hold: {REPAIR}",
        f"RAKE-1 in main: the ledger's reserved is 0, by the reservations it is 3. {RECORD}",
        "7 stock rows, 5 movements, 1 reservation: 2 differences",
    ]
    assert checkout.ok("verify", "--repair") == [
        "repaired 1 stock row, ended 0 reservations of closed checkouts",
        "7 stock rows, 6 movements, 1 reservation: all agree",
    ]


def test_rates_come_in_once(checkout: Command, tmp_path: Path) -> None:
    path = tmp_path / "eurofxref-daily.xml"
    path.write_text(
        '<Envelope xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><Cube><Cube time="2030-01-15">'
        '<Cube currency="USD" rate="1.0857"/><Cube currency="BGL" rate="1.95"/></Cube></Cube></Envelope>'
    )
    assert checkout.ok("import-rates", path) == [
        "rates of 2030-01-15: 1 created, 0 updated, 0 unchanged; not in use any more: BGL"
    ]
    assert checkout.ok("import-rates", path)[0].startswith("rates of 2030-01-15: 0 created, 0 updated, 1 unchanged")


def test_a_database_without_tables_says_what_to_do(checkout: Command) -> None:
    checkout.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for arguments in (["verify"], ["stock", "set", "A", "1"], ["import-stock", DATA / "garden.csv"]):
        result = checkout(*arguments)
        assert result.exit_code == 2
    assert "checkout: the database has no tables yet: checkout migrate" in checkout("verify").stderr


def test_migrate_fills_an_empty_shop_with_the_demo_once(checkout: Command) -> None:
    assert checkout.ok("migrate", "--demo")[-1] == "the shop has the demo catalogue now"
    assert checkout.ok("migrate", "--demo")[-1] == "the shop has a catalogue already"
    assert checkout.ok("verify")[-1].endswith("all agree")
