"""The lines of a cart are counted where none can come in between."""

from checkout.store.migrations.scripts import run_scripts

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the trigger."""
    run_scripts("0021")
