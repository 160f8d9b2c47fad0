"""The deployment row: made once with the store, so that two stores never share a mark."""

import sqlalchemy as sa

from vmwright.ids import DeploymentId, new_id
from vmwright.persistence.database import Database, now
from vmwright.persistence.failures import Duplicate


def deployment_of(database: Database) -> DeploymentId:
    """This store's deployment id; made now if this is the first process that asks."""
    table = database.schema.deployment
    with database.read() as connection:
        found = connection.execute(sa.select(table.c.id).order_by(table.c.seq)).scalars().first()
    if found is not None:
        return DeploymentId(found)
    with database.write() as connection:
        # A fixed primary key: of several processes that get here, one inserts.
        insert = sa.insert(table).from_select(
            ["seq", "id", "created_at"],
            sa.select(sa.literal(1), sa.literal(new_id()), now()).where(
                ~sa.exists(sa.select(table.c.seq))
            ),
        )
        try:
            with connection.begin_nested():
                connection.execute(insert)
        except Duplicate:
            pass
        return DeploymentId(
            connection.execute(sa.select(table.c.id).order_by(table.c.seq)).scalars().one()
        )
