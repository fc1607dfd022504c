"""The record that a finding's Tasks and posts go on, where that is another one than the finding's own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is stored stays as it is."""
    op.add_column("findings", sa.Column("about_id", sa.String(length=18), nullable=True))
