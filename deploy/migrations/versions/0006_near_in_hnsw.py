"""Reads HNSW from the nearest vector on, and no further than those that are near enough"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# The loop asks for more rows only while it goes on (a cursor). Its settings hold inside alone: the planner would rather
# sort all vectors where they are few, and that the index is used must not depend on how many.
_NEAR = """
CREATE FUNCTION search_vectors_near(asked halfvec, at_least double precision, at_most integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET hnsw.iterative_scan = relaxed_order SET hnsw.ef_search = 200
SET enable_seqscan = off SET enable_sort = off SET jit = off
AS $$
DECLARE
    near record;
BEGIN
    FOR near IN
        SELECT plan_id, -(vector <#> asked) AS product FROM search_vectors
        WHERE hnsw ORDER BY vector <#> asked LIMIT at_most
    LOOP
        EXIT WHEN near.product < at_least;
        RETURN NEXT near.plan_id;
    END LOOP;
END
$$
"""


def upgrade() -> None:
    op.execute(_NEAR)


def downgrade() -> None:
    op.execute("DROP FUNCTION search_vectors_near(halfvec, double precision, integer)")
