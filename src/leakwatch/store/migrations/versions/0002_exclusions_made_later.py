"""What tells the other copies of a vetoed mail, who left the roster, and writes refused because a record is gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is stored stays as it is."""
    op.add_column("principals", sa.Column("left_at", sa.String(), nullable=True))
    op.add_column("activities", sa.Column("refused_snapshot", sa.String(), nullable=True))
    op.add_column("activities", sa.Column("refusals", sa.Integer(), nullable=False, server_default="0"))
    for name in ("fingerprint", "sender_digest", "sent_at", "start"):
        op.add_column("decisions", sa.Column(name, sa.String(), nullable=True))
    op.create_index(op.f("ix_decisions_fingerprint"), "decisions", ["fingerprint"], unique=False)
