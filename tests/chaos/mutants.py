"""`python -m tests.chaos.mutants`: puts known bugs into a copy of the tree, one at a time; tests must notice each.

Each mutant is a bug that somebody could write in good faith. The tests named with it must pass on the tree as it is and
fail on the mutant; exit status 1 where they don't. `--only WORD` runs the mutants whose name holds the word.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.chaos.answer_mutants import ANSWER_MUTANTS
from tests.chaos.mutant import Edit, Mutant
from tests.chaos.scoring_mutants import SCORING_MUTANTS

ROOT: Final = Path(__file__).parents[2]
SCHEDULES: Final = "tests/chaos/test_schedules.py"
AT_BROKER: Final = "tests/chaos/test_broker_schedules.py"
AHEAD: Final = "tests/chaos/test_reading_ahead.py"
UNREADABLE: Final = "tests/chaos/test_unreadable.py"
INDEX: Final = "tests/integration/test_search_index.py"
PARTS: Final = "tests/integration/test_settlement_parts.py"
LOCKS: Final = "tests/integration/test_lock_order.py"
QUERIES: Final = "tests/integration/test_queries.py"
STEPS: Final = "tests/integration/test_matcher_steps.py"
METRICS: Final = "tests/unit/platform/test_metrics.py"
WITHDRAWALS: Final = "tests/integration/test_notifier_withdrawals.py"
LIMIT_SECONDS: Final = 300


MUTANTS: Final = (
    Mutant(
        "default ack policy",
        [
            Edit("services/messaging/consumer.py", "        ack_policy=AckPolicy.MANUAL,\n", ""),
            Edit("services/messaging/consumer.py", "from faststream import AckPolicy\n", ""),
        ],
        [f"{AT_BROKER}::test_a_batch_cut_off_in_the_middle_comes_again"],
    ),
    Mutant(
        "bare commit",
        [
            Edit(
                "services/messaging/offsets.py",
                "consumer.commit({p: o for p, o in offsets.items() if p in consumer.assignment()})",
                "consumer.commit()",
            )
        ],
        [f"{AT_BROKER}::test_only_what_was_handled_is_committed"],
    ),
    Mutant(
        "what was read ahead is not put back",
        [
            Edit(
                "services/messaging/consumer.py",
                "    for record in [*records, *state.drop_read_ahead()]:\n",
                "    for record in records:\n",
            )
        ],
        [f"{AHEAD}::test_what_was_read_behind_a_batch_that_is_put_back_comes_again_after_it"],
    ),
    Mutant(
        "a refused record that does not advance",
        [
            Edit(
                "services/messaging/record_batches.py",
                "                self.next_fetch_offset = behind\n",
                "",
            )
        ],
        [f"{UNREADABLE}::test_whatever_comes_every_partition_goes_on"],
    ),
    Mutant(
        "search inside Tx 1",
        [
            Edit(
                "services/store/plan_log.py",
                "    return outcomes\n",
                "    early = (await session.execute(select(PlanRecord.plan_id))).scalars().all()\n"
                "    for revision in recording.revisions:\n"
                "        SEEN[revision.plan_id] = set(early)\n"
                "    return outcomes\n\n\nSEEN: dict[str, set[str]] = {}\n",
            ),
            Edit(
                "services/matcher/candidate_assessment.py",
                "        if other_id == plan.plan.plan_id:",
                "        from services.store.plan_log import SEEN\n\n"
                "        if other_id == plan.plan.plan_id or other_id not in SEEN.get(plan.plan.plan_id, {other_id}):",
            ),
        ],
        [f"{SCHEDULES}::test_two_plans_recorded_at_the_same_moment_find_each_other"],
    ),
    Mutant(
        "own-row lock only",
        [
            Edit(
                "services/matcher/settlement.py",
                "        return cls(generations.share_lock_query(), plans.lock_whole_query(involved), "
                "store.get_many_versioned(drafts))\n",
                "        own = {judgement.plan.plan.plan_id for judgement in part.complete}\n"
                "        locking = plans.lock_whole_query(own)\n"
                "        read = plans.revisions(involved)\n"
                "        locking.statement = text(\n"
                '            f"WITH own AS ({locking.statement})"\n'
                '            " SELECT plan_id, p.revision, p.state IS NOT NULL FROM plans p"\n'
                '            " LEFT JOIN own USING (plan_id) WHERE plan_id = ANY(:ids)"\n'
                "        )\n"
                "        locking.given = {**locking.given, **read.given}\n"
                "        return cls(generations.share_lock_query(), locking, store.get_many_versioned(drafts))\n",
            ),
            Edit(
                "services/matcher/settlement.py",
                "from sqlalchemy.ext.asyncio import AsyncSession\n",
                "from sqlalchemy import text\nfrom sqlalchemy.ext.asyncio import AsyncSession\n",
            ),
        ],
        [f"{SCHEDULES}::test_a_partner_that_ends_while_the_pair_is_being_settled_takes_it_along"],
    ),
    Mutant(
        "a draft is written whatever its row has become",
        [
            Edit(
                "services/matcher/settlement.py",
                " if one.version != versions.get(key)}",
                " if key not in drafts}",
            )
        ],
        [f"{STEPS}::test_a_draft_sees_what_others_wrote_before_its_locks"],
    ),
    Mutant(
        "a plan counts as assessed with the first part of its settlement",
        [
            Edit(
                "services/matcher/settlement.py",
                "complete.setdefault(max(own, default=0), [])",
                "complete.setdefault(0, [])",
            )
        ],
        [f"{PARTS}::test_a_crash_between_two_parts_is_made_good_by_the_sweeper"],
    ),
    Mutant(
        "digests flushed in no order of rows",
        [Edit("services/store/digests.py", " ORDER BY i.id FOR UPDATE OF i\n", "\n")],
        [f"{LOCKS}::test_of_intents"],
    ),
    Mutant(
        "no send before read",
        [
            Edit("services/store/pipelined_queries.py", "    yield from send(pipeline.pgconn)\n", ""),
            Edit("services/store/pipelined_queries.py", "from psycopg.generators import send\n", ""),
        ],
        [
            f"{QUERIES}::test_50_mb_go_either_way",
            f"{QUERIES}::test_a_failure_before_50_mb_were_sent_leaves_nothing_behind",
        ],
    ),
    Mutant(
        "an older snapshot takes the index back",
        [
            Edit(
                "services/matcher/plan_index.py",
                "        elif delta.until.is_older(known):\n            return\n",
                "",
            ),
            Edit(
                "services/matcher/plan_index.py",
                "        self._seen = delta.until\n",
                "        if not delta.until.is_older(self._seen):\n            self._seen = delta.until\n",
            ),
        ],
        [f"{INDEX}::test_a_search_in_an_older_snapshot_takes_nothing_back"],
    ),
    Mutant(
        "a row that is written again keeps its first transaction",
        [
            Edit(
                "services/store/schema.py",
                "    NEW.written_xid := pg_current_xact_id()::text::bigint;\n",
                "",
            )
        ],
        [f"{INDEX}::test_new_words_are_found_by_every_matcher"],
    ),
    Mutant(
        "hopeless pairs remembered whatever their words",
        [
            Edit(
                "services/matcher/hopeless_pairs.py",
                "    return hash((plan.authority, plan.title, plan.description, plan.cpv))\n",
                "    return len(plan.authority)\n",
            )
        ],
        [f"{INDEX}::test_new_words_give_a_hopeless_pair_another_score"],
    ),
    Mutant(
        "changes followed by number alone",
        [
            Edit(
                "services/store/plan_features.py",
                '    xid, plan_id = after or (int(since.snapshot.split(":")[0]), "")\n',
                '    xid, plan_id = after or (int(since.snapshot.split(":")[1]) - 1, "~")\n',
            )
        ],
        [f"{INDEX}::test_a_late_commit_is_read_after_later_transactions"],
    ),
    Mutant(
        "relay by id > last",
        [
            Edit(
                "services/store/outbox.py",
                "    return await fetch(session, PipelinedQuery(_WAITING, given, _messages))\n",
                "    query = select(Outbox).where(in_array(col(Outbox.shard), shards), col(Outbox.id) > LAST[0])\n"
                "    found = (await session.execute(query.order_by(col(Outbox.id)).limit(limit))).scalars().all()\n"
                "    LAST[0] = max([LAST[0], *(row.id or 0 for row in found)])\n"
                "    return found\n\n\nLAST = [0]\n",
            )
        ],
        [f"{AT_BROKER}::test_a_message_that_commits_late_is_published_all_the_same"],
    ),
    Mutant(
        "intent without unique key",
        [
            Edit(
                "services/store/intents.py",
                'insert(Intent).on_conflict_do_nothing(constraint="notification_intents_once").returning',
                "insert(Intent).returning",
            ),
            Edit(
                "deploy/migrations/versions/1000_initial_tables.py",
                '"occasion",\n            name="notification_intents_once"',
                '"id",\n            name="notification_intents_once"',
            ),
        ],
        [f"{SCHEDULES}::test_two_notifiers_with_one_event_make_one_intent_a_reader"],
    ),
    Mutant(
        "preference read at intent time",
        [
            Edit(
                "services/notifier/preflight.py",
                "    muted = await mutes_for(session, row.authority, today)\n",
                "    muted = Mutes()\n",
            ),
            Edit(
                "services/notifier/preflight.py",
                "    wishes = Preferences(row.immediate, row.digest, takes_part=row.takes_part(today))\n",
                "    wishes = Preferences(immediate=True, digest=True, takes_part=True)\n",
            ),
        ],
        ["tests/integration/test_notifier.py::test_a_mail_unwanted_at_sending_is_not_sent"],
    ),
    Mutant(
        "withdrawal of what was merely not retrieved",
        [
            Edit(
                "services/matcher/candidate_assessment.py",
                "    others = dict(partners)\n",
                "    others: dict[str, Features] = {}\n",
            ),
            Edit(
                "services/matcher/settlement.py",
                "    done = {j.plan.plan.plan_id: j.plan.plan.revision for j in current if j.error is None}\n",
                "    for judgement in current:\n"
                "        mine = judgement.plan.plan.plan_id\n"
                "        for other in (await store.active_for_plan(session, [mine]))[mine]:\n"
                "            key = opportunity_id(context.id_key, mine, other)\n"
                "            if key not in pairs:\n"
                "                withdraw(kept, (await store.get_many(session, [key]))[key], BELOW_THRESHOLD)\n"
                "    done = {j.plan.plan.plan_id: j.plan.plan.revision for j in current if j.error is None}\n",
            ),
            Edit(
                "services/matcher/settlement.py",
                "from services.matcher.pending_writes import PendingWrites, write_pair",
                "from services.domain.opportunity import BELOW_THRESHOLD\n"
                "from services.matcher.pending_writes import PendingWrites, withdraw, write_pair",
            ),
        ],
        [f"{SCHEDULES}::test_what_was_not_retrieved_is_judged_and_stays"],
    ),
    Mutant(
        "relay without a shard lock",
        [
            Edit(
                "services/relay/outbox_publisher.py",
                "SELECT pg_try_advisory_lock(:lock_class, :shard)",
                "SELECT CAST(:lock_class AS int) + CAST(:shard AS int) > 0",
            )
        ],
        [f"{AT_BROKER}::test_a_relay_that_is_held_up_is_not_overtaken"],
    ),
    Mutant(
        "withdrawal ignored while a mail is being sent",
        [
            Edit(
                "services/domain/notification_rules.py",
                "intent.state in POSSIBLY_SENT",
                "intent.state in POSSIBLY_SENT[1:]",
            )
        ],
        [f"{WITHDRAWALS}::test_a_match_withdrawn_during_sending_is_corrected"],
    ),
    Mutant(
        "counters born at 1",
        [
            Edit(
                "services/platform/metrics.py",
                "        for series in _series(metric, owners[process]):\n"
                "            if metric in MEASURED:\n"
                "                series.set(math.nan)\n",
                "        if metric in MEASURED:\n"
                "            for series in _series(metric, owners[process]):\n"
                "                series.set(math.nan)\n",
            )
        ],
        [f"{METRICS}::test_each_known_series_of_a_counter_starts_at_zero"],
    ),
    Mutant(
        "every process exports every metric",
        [
            Edit(
                "services/platform/metrics.py",
                "        if process not in owners:\n            continue\n        registry.register(metric)\n",
                "        registry.register(metric)\n        if process not in owners:\n            continue\n",
            )
        ],
        [f"{METRICS}::test_a_process_exports_what_it_owns_and_nothing_else"],
    ),
    *ANSWER_MUTANTS,
    *SCORING_MUTANTS,
)


def main() -> int:
    """Runs the tests on the tree as it is, then on each mutant; a table on standard output."""
    made = argparse.ArgumentParser(prog="python -m tests.chaos.mutants", description=__doc__)
    made.add_argument("--only", default="", help="only mutants with this word in their name")
    wanted = [mutant for mutant in MUTANTS if made.parse_args().only in mutant.name]
    tests = sorted({test for mutant in wanted for test in mutant.tests})
    with tempfile.TemporaryDirectory(prefix="jointly-mutants-", ignore_cleanup_errors=True) as folder:
        clean = _copy(Path(folder) / "clean")
        if (said := _red(clean, tests)) is not None:
            sys.stdout.write(f"The tests fail without any mutant:\n{said}\n")
            return 1
        survived = 0
        for number, mutant in enumerate(wanted):
            tree = _copy(Path(folder) / str(number))
            for edit in mutant.edits:
                _apply(tree, edit)
            killed = _red(tree, mutant.tests) is not None
            survived += not killed
            sys.stdout.write(f"{'killed  ' if killed else 'SURVIVED'}  {mutant.name}\n")
            sys.stdout.flush()
            shutil.rmtree(tree)
    sys.stdout.write(f"{len(wanted) - survived} of {len(wanted)} mutants killed\n")
    return 1 if survived else 0


def _copy(tree: Path) -> Path:
    """The files that git knows, as they are now."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


def _apply(tree: Path, edit: Edit) -> None:
    file = tree / edit.file
    content = file.read_text()
    if content.count(edit.old) != 1:
        raise SystemExit(f"{edit.file} no longer holds what a mutant changes; bring mutants.py up to date:\n{edit.old}")
    file.write_text(content.replace(edit.old, edit.new))


def _red(tree: Path, tests: Sequence[str]) -> str | None:
    """What pytest said where a test failed; None where all passed. A tree that can't even be imported is no mutant."""
    quick = ["-x", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-profile=unshrunk"]
    command = [sys.executable, "-m", "pytest", *quick, *tests]
    done = subprocess.run(
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if done.returncode == 0:
        return None
    if done.returncode != 1 or " failed" not in done.stdout:
        raise SystemExit(f"pytest could not run the tests:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return done.stdout[-3000:]


if __name__ == "__main__":
    sys.exit(main())
