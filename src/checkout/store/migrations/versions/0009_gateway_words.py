"""Why a payment attempt came to nothing in the gateway's words, for ops; a refusal is no decline."""

from checkout.store.migrations.scripts import run_scripts

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the status."""
    run_scripts("0009")
