"""What the API counts, by the minute; and who keeps a checkout is told when its order is cancelled."""

from checkout.store.migrations.scripts import run_scripts

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the trigger."""
    run_scripts("0016")
