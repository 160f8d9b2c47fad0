"""How tables compare texts on MariaDB: as PostgreSQL and SQLite do."""

from collections.abc import Iterable

import sqlalchemy as sa


def compare_exactly(bind: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Have tables that are made by `bind` tell texts apart byte by byte, to the last blank.

    Whatever the server's defaults are: with most of them ``Web`` and ``web`` were one name, and
    with some no name could hold what is not Latin.
    """
    if bind.dialect.name not in ("mysql", "mariadb"):
        return
    # MySQL calls its own otherwise.
    is_mariadb = getattr(bind.dialect, "is_mariadb", False)
    collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
    for table in tables:
        table.kwargs[f"{bind.dialect.name}_charset"] = "utf8mb4"
        table.kwargs[f"{bind.dialect.name}_collate"] = collation
