"""All of taskflow's tables, as the installed taskflow itself describes them."""
import sqlalchemy
from alembic import op
from taskflow.persistence.backends.sqlalchemy import tables

revision = 'lab_all_tables'
down_revision = None


def upgrade():
    metadata = sqlalchemy.MetaData()
    tables.fetch(metadata)
    metadata.create_all(op.get_bind())
