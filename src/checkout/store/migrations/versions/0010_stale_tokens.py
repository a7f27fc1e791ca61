"""An index of the payment attempts that still have a token."""

from checkout.store.migrations.scripts import run_scripts

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    run_scripts("0010")
