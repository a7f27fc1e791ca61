"""Stock movements are found by their checkout, and payment attempts by the gateway's id, however many there are."""

from checkout.store.migrations.scripts import run_scripts

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes anew."""
    run_scripts("0012")
