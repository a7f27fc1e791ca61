"""Refunds after the sale, and the stock movements that belong to them."""

from checkout.store.migrations.scripts import run_scripts

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    run_scripts("0007")
