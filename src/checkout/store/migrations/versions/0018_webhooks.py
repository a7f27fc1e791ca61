"""Events are sent to others: endpoints, deliveries, and what came of each attempt."""

from checkout.store.migrations.scripts import run_scripts

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their tables."""
    run_scripts("0018")
