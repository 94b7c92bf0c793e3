"""A few weeks of the whole loop: what is printed, what the desk holds, what the law forbids."""

import json
import os

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from keepwell import rooms
from keepwell.cli.ledger import _read
from keepwell.frame.context import Frame
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.contact.policy import Aim
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.learn.holdout.policy import HOLD_OUT
from keepwell.learn.kept.model import KeptProof
from keepwell.rehearsal.plan import KEEPWELL, RANDOM, Plan
from keepwell.rehearsal.run import MARKER, rehearse
from keepwell.web.demo import seed
from keepwell.world.files.write import MARKER as WORLD
from keepwell.world.scenario import load_scenario
from tests.learn.broker import few_trees


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """Eight weeks: with keepwell, and calling at random."""
    root = tmp_path_factory.mktemp("loop") / "broker"
    plan = Plan(
        load_scenario("calm-year"),
        5,
        int(os.environ["KEEPWELL_LOOP"]),
        56,
        340,
        policies=(KEEPWELL, RANDOM),
    )
    told = []
    with few_trees():
        done = rehearse(plan, root, lambda *told_: told.append(told_), seed)
    return plan, done, told


@pytest.fixture
def desk(lived):
    rooms.load_all()
    frame = Frame.open(lived[1].root)
    with frame.read() as tx:
        yield tx
    frame.close()


def test_policies_are_judged_on_the_same_clients_by_the_same_truth(lived):
    plan, done, told = lived
    mine, random = done.verdicts
    assert (mine.policy, random.policy) == (KEEPWELL, RANDOM)
    assert (mine.treated, mine.held) == (random.treated, random.held)
    assert mine.left == pytest.approx(random.left, abs=0.05)
    for verdict in done.verdicts:
        assert verdict.contacts > 0
        for figure in (verdict.clients, verdict.money):
            assert figure.low < figure.estimate < figure.high
            assert figure.low < figure.truth_cut < figure.high
    # Nobody has more time than the other.
    assert random.minutes <= plan.minutes * plan.days // 7 * 3
    kept = json.loads((done.root / MARKER).read_text())
    assert [one["policy"] for one in kept["policies"]] == [KEEPWELL, RANDOM]
    assert {policy for policy, *_ in told} == {"", KEEPWELL, RANDOM, "nobody"}
    assert not (done.root / WORLD).exists()
    assert not list(done.root.parent.glob("*.part"))


def test_nobody_is_kept_against_their_will_or_the_draw(lived, desk):
    verdict = lived[1].verdicts[0]
    assert verdict.refusing == 0
    held = set(desk.session.scalars(select(HoldoutArm.client_id).where(HoldoutArm.arm == HOLD_OUT)))
    made = desk.session.scalars(select(Contact).where(Contact.aim == Aim.RETENTION)).all()
    assert len(made) == verdict.contacts
    assert held
    assert not held & {contact.client_id for contact in made}
    assert not [contact for contact in made if contact.breach]
    # Every contact is one that was recommended in its case.
    advised = {(row.case_id, row.best_id) for row in desk.session.scalars(select(Recommended))}
    assert {(contact.case_id, contact.action_id) for contact in made} <= advised


def test_the_page_shows_what_was_printed(lived, desk):
    proof = desk.session.scalars(select(KeptProof).order_by(KeptProof.at.desc())).first()
    printed = lived[1].verdicts[0].clients
    shown = proof.record["measures"]["clients"]["total"]
    assert (shown["value"], shown["low"], shown["high"]) == (
        printed.estimate, printed.low, printed.high,
    )  # fmt: skip


def test_the_ledger_of_a_client_holds(lived):
    told = _read(lived[1].root, lived[1].client, True)
    assert told.lines
    assert told.verdict.valid
    assert {"recommendation", "contact"} <= {str(line.kind) for line in told.lines}


def test_contacts_are_what_the_world_lived(lived, desk):
    treated = pq.read_table(lived[1].root / "truth" / "treatments.parquet").to_pylist()
    done = {(row["client_id"], row["day"]) for row in treated}
    made = desk.session.scalars(select(Contact).where(Contact.aim == Aim.RETENTION)).all()
    # Working hours of Shanghai lie in one day of UTC.
    assert {(contact.client_id, contact.at.date()) for contact in made} <= done
