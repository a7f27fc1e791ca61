"""What payment gateways tell the shop, and what was sent back because nobody owed it."""

from checkout.store.migrations.scripts import run_scripts

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    run_scripts("0002")
