"""Carts that a lost checkout locks are found without a look at all the others."""

from checkout.store.migrations.scripts import run_scripts

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the carts that are locked."""
    run_scripts("0019")
