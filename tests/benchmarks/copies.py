"""A database of many plans made of one of fewer: each plan again under other ids, with its own neighbours and partners.

Updates of the plans that were there look nothing up by words, so the vectors' index is dropped, not built for all.
"""

import psycopg
from psycopg import sql

_TABLES = {
    "plans": ("plan_id", "event_id"),
    "plan_log": ("plan_id", "event_id"),
    "opportunities": ("opportunity_id", "plan_a", "plan_b"),
    "search_entries": ("plan_id",),
    "search_vectors": ("plan_id",),
    "search_neighbours": ("plan_id", "other_id"),
}
"""The tables that grow with the number of plans, and what of each has to be another in a copy."""


def multiply(connection: psycopg.Connection, times: int) -> None:
    """Makes so many plans of each; what is in a plan's state stays, so only the first ones are to be asked for."""
    connection.execute("DROP INDEX search_vectors_nearest")
    connection.execute("UPDATE search_vectors SET hnsw = true WHERE NOT hnsw")
    for table, ids in _TABLES.items():
        columns = _columns(connection, table)
        taken = sql.SQL(", ").join(
            sql.SQL("{} || '+' || n").format(sql.Identifier(name)) if name in ids else sql.Identifier(name)
            for name in columns
        )
        connection.execute(
            sql.SQL(
                "INSERT INTO {table} ({columns}) SELECT {taken} FROM {table}, generate_series(2, {times}) n"
            ).format(
                table=sql.Identifier(table),
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                taken=taken,
                times=sql.Literal(times),
            )
        )
    connection.execute("VACUUM ANALYZE")


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    query = (
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = %s AND is_identity = 'NO' ORDER BY ordinal_position"
    )
    return [row[0] for row in connection.execute(query, (table,))]
