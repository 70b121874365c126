"""A database of many plans made of one of fewer: each plan again under other ids, with its own neighbours and partners.

The vectors of each copy are turned round by as many places as the copy has: products within a copy stay what they
were, and between copies they are those of words that have nothing to do with each other. So a new plan finds as many
partners as among the first plans alone, in an index of all. The vectors that were in memory stay there, copies go into
HNSW.
"""

import psycopg
from psycopg import sql

from matching.candidates.pair_vector import DIMENSIONS

_TABLES = {
    "plans": ("plan_id", "event_id"),
    "plan_log": ("plan_id", "event_id"),
    "opportunities": ("opportunity_id", "plan_a", "plan_b"),
    "search_entries": ("plan_id",),
    "search_vectors": ("plan_id",),
    "search_neighbours": ("plan_id", "other_id"),
}
"""The tables that grow with the number of plans, and what of each has to be another in a copy."""


_APART = 61
"""So many places more are a copy's vectors turned than those of the copy before; 640 is no multiple of it."""
_INDEX_MEMORY = "4GB"
"""What building HNSW takes at once for a million vectors; with less it goes on many times more slowly."""


def multiply(connection: psycopg.Connection, times: int) -> None:
    """Makes so many plans of each; what is in a plan's state stays, so only the first ones are to be asked for."""
    nearest = connection.execute("SELECT pg_get_indexdef('search_vectors_nearest'::regclass)").fetchone()
    connection.execute("DROP INDEX search_vectors_nearest")
    for table, ids in _TABLES.items():
        columns = _columns(connection, table)
        taken = sql.SQL(", ").join(_taken(table, name, ids) for name in columns)
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
    connection.execute(sql.SQL("SET maintenance_work_mem = {}").format(sql.Literal(_INDEX_MEMORY)))
    connection.execute(nearest[0].encode())  # type: ignore[index]
    connection.execute("VACUUM ANALYZE")


def _taken(table: str, name: str, ids: tuple[str, ...]) -> sql.Composable:
    if name in ids:
        return sql.SQL("{} || '+' || n").format(sql.Identifier(name))
    if table == "search_vectors" and name == "hnsw":
        return sql.SQL("true")
    if table == "search_vectors" and name == "vector":
        return sql.SQL("subvector(vector, {turn} + 1, {all} - {turn}) || subvector(vector, 1, {turn})").format(
            turn=sql.SQL("((n - 1) * {} % {})").format(sql.Literal(_APART), sql.Literal(DIMENSIONS)),
            all=sql.Literal(DIMENSIONS),
        )
    return sql.Identifier(name)


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    query = (
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = %s AND is_identity = 'NO' ORDER BY ordinal_position"
    )
    return [row[0] for row in connection.execute(query, (table,))]
