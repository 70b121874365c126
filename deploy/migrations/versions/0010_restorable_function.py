"""Lets the owner of the database restore its functions: settings of an extension are set inside, not declared"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# `SET hnsw....` in a function's head may only be written where the extension is loaded already, or by a superuser:
# pg_restore runs as the owner in a session that has not loaded it, and lost the function.
_NEAR = """
CREATE OR REPLACE FUNCTION search_vectors_near(asked halfvec, at_least double precision, at_most integer)
RETURNS SETOF text LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_sort = off SET jit = off
AS $$
DECLARE
    near record;
BEGIN
    PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true);
    IF coalesce(current_setting('hnsw.ef_search', true), '0')::integer < 200 THEN
        PERFORM set_config('hnsw.ef_search', '200', true);
    END IF;
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
_BEFORE = """
CREATE OR REPLACE FUNCTION search_vectors_near(asked halfvec, at_least double precision, at_most integer)
RETURNS SETOF text LANGUAGE plpgsql STABLE
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
    op.execute(_BEFORE)
