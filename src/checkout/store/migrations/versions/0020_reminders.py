"""Buyers are reminded of an abandoned cart, once."""

from checkout.store.migrations.scripts import run_scripts

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    run_scripts("0020")
