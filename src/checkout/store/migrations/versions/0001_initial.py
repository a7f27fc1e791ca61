"""The tables of the shop, their constraints and indexes, and the triggers that protect carts and number checkouts."""

from checkout.store.migrations.scripts import run_scripts

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything."""
    run_scripts("0001")
