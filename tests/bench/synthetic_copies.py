"""A database of many plans made of one of fewer: each plan again under other ids, with its own neighbours and partners.

The vectors of each copy are turned round by as many places as the copy has: products within a copy stay what they
were, and between copies they are those of words that have nothing to do with each other. So a new plan finds as many
partners as among the first plans alone, in an index of all.
"""

import psycopg
from psycopg import sql

from matching.candidates.pair_vector import DIMENSIONS

_TABLES = {
    "plans": ("plan_id", "event_id"),
    "plan_log": ("plan_id", "event_id"),
    "opportunities": ("opportunity_id", "plan_a", "plan_b"),
    "plan_features": ("plan_id",),
    "coalitions": ("coalition_id",),
    "coalition_members": ("coalition_id", "plan_id"),
}
"""The tables that grow with the number of plans, and what of each has to be another in a copy."""


_APART = 61
"""So many places more are a copy's vectors turned than those of the copy before; 640 is no multiple of it."""


def multiply(connection: psycopg.Connection, times: int) -> None:
    """Makes so many plans of each; what is in a plan's state stays, so only the first ones are to be asked for."""
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
    connection.execute("VACUUM ANALYZE")


def _taken(table: str, name: str, ids: tuple[str, ...]) -> sql.Composable:
    if name in ids:
        return sql.SQL("{} || '+' || n").format(sql.Identifier(name))
    if (table, name) == ("plan_features", "vector"):
        # Two bytes a number.
        turn = sql.SQL("(2 * ((n - 1) * {} % {}))").format(sql.Literal(_APART), sql.Literal(DIMENSIONS))
        return sql.SQL("substring(vector from {turn} + 1) || substring(vector for {turn})").format(turn=turn)
    return sql.Identifier(name)


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    query = (
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = %s AND is_identity = 'NO' ORDER BY ordinal_position"
    )
    return [row[0] for row in connection.execute(query, (table,))]
