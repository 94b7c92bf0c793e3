import threading

import pytest
from sqlalchemy import func, select

from keepwell.frame.events import EventName
from keepwell.frame.problem import Conflict, NotFound, Stale
from keepwell.intervene.case import repo, service
from keepwell.intervene.case.model import Case, CaseEvent
from keepwell.intervene.case.policy import (
    PROJECTED,
    CaseReason,
    CloseReason,
    State,
    plain,
    replay,
    urgency,
)
from keepwell.intervene.case.repo import CaseFilter
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import ClientGrant
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.evidence.model import EvidenceEntry


def alert(tx, client="c1", reason="risk", tier="moderate", number="a1", owner="m1"):
    return service.open_or_append(
        tx, SYSTEM, client_id=client, reason=reason, tier=tier, alert_id=number, owner_id=owner
    )


def opened(desk, **more) -> str:
    with desk.tx() as tx:
        return alert(tx, **more).case_id


def close(desk, case_id, who="m1", outcome=State.LOST, reason=CloseReason.NOT_REACHED):
    with desk.tx() as tx:
        version = service.read_case(tx, desk.actors[who], case_id).version
        service.close(tx, desk.actors[who], case_id, version, outcome, reason, "gone")


def row(desk, case_id) -> Case:
    with desk.frame.read() as tx:
        return tx.session.get(Case, case_id)


def grants(desk, case_id) -> set[str]:
    with desk.frame.read() as tx:
        statement = select(ClientGrant.staff_id).where(ClientGrant.source == f"case:{case_id}")
        return set(tx.session.scalars(statement))


def happened(desk) -> list[str]:
    with desk.frame.read() as tx:
        return sorted(tx.session.scalars(select(EvidenceEntry.kind)))


def assert_history_makes_the_row(desk, case_id):
    with desk.frame.read() as tx:
        lines = [line for line, _ in repo.history(tx, case_id, 1000, None)]
        case = tx.session.get(Case, case_id)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    known = set(PROJECTED)
    changes = [{k: v for k, v in line.new.items() if k in known} for line in lines]
    assert replay(changes) == {name: plain(getattr(case, name)) for name in PROJECTED}
    assert case.urgency == urgency(case.tier)
    for line in lines:
        assert set(line.old) <= set(line.new)


def test_alerts_of_one_reason_share_one_live_case(desk):
    desk.usual()
    first = opened(desk, tier="mild")
    assert opened(desk, tier="severe", number="a2") == first
    assert opened(desk, tier="mild", number="a3") == first
    other = opened(desk, reason="closing-question", number="a4")
    assert other != first
    case = row(desk, first)
    assert (case.tier, case.alerts, case.alert_id) == ("severe", 3, "a3")
    assert_history_makes_the_row(desk, first)


def test_the_same_alert_twice_has_one_effect(sqlite_desk):
    sqlite_desk.usual()
    case_id = opened(sqlite_desk)
    before = row(sqlite_desk, case_id).version
    assert opened(sqlite_desk) == case_id
    assert row(sqlite_desk, case_id).version == before
    assert row(sqlite_desk, case_id).alerts == 1


def test_alerts_at_once_from_many_threads_open_one_case(desk):
    desk.usual()
    ids, gate = [], threading.Barrier(6)

    def work(number):
        gate.wait()
        ids.append(opened(desk, number=f"a{number}"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6
    assert len(set(ids)) == 1
    assert row(desk, ids[0]).alerts == 6
    assert_history_makes_the_row(desk, ids[0])


def test_a_case_closed_lately_is_reopened_and_an_old_one_is_linked(desk):
    desk.usual()
    first = opened(desk)
    close(desk, first)
    desk.now.move(days=29)
    assert opened(desk, number="a2", tier="mild") == first
    case = row(desk, first)
    assert (case.state, case.live, case.tier, case.alerts) == ("open", True, "mild", 2)
    assert case.closed_at is case.close_reason is case.close_note is None
    close(desk, first)
    desk.now.move(days=30)
    second = opened(desk, number="a3")
    assert second != first
    assert row(desk, second).previous_id == first
    assert_history_makes_the_row(desk, first)
    assert_history_makes_the_row(desk, second)


def test_a_case_goes_forward_and_never_back(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    case_id = opened(desk)
    m1 = desk.actors["m1"]
    with desk.tx() as tx:
        service.move(tx, m1, case_id, 1, State.PLAN)
    with pytest.raises(Conflict, match="forward"), desk.tx() as tx:
        service.move(tx, m1, case_id, 2, State.CONTACTED)
    close(desk, case_id)
    with pytest.raises(Conflict, match="closed"), desk.tx() as tx:
        service.move(tx, m1, case_id, 3, State.SAVING)
    assert_history_makes_the_row(desk, case_id)


def test_two_people_edit_one_case_and_nothing_is_lost(desk):
    desk.usual()
    case_id = opened(desk)
    gate, results = threading.Barrier(2), {}

    def edit(who, **text):
        gate.wait()
        try:
            with desk.tx() as tx:
                service.edit(tx, desk.actors[who], case_id, 1, **text)
            results[who] = "done"
        except Stale as error:
            results[who] = error.fields["current"]

    threads = [
        threading.Thread(target=edit, args=("m1",), kwargs={"title": "fees", "plan": None}),
        threading.Thread(target=edit, args=("l1",), kwargs={"title": None, "plan": "call"}),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results.values(), key=str) == [2, "done"]
    winner = next(who for who, result in results.items() if result == "done")
    case = row(desk, case_id)
    assert (case.title, case.plan) == (("fees", "") if winner == "m1" else ("", "call"))
    other = {"m1": ("l1", None, "call"), "l1": ("m1", "fees", None)}[winner]
    with desk.tx() as tx:
        service.edit(tx, desk.actors[other[0]], case_id, 2, other[1], other[2])
    case = row(desk, case_id)
    assert (case.title, case.plan, case.version) == ("fees", "call", 3)
    assert_history_makes_the_row(desk, case_id)


def test_each_effect_has_its_evidence_in_the_same_transaction(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    case_id = opened(desk)
    before = happened(desk)
    assert before.count("case.opened") == 1

    def half() -> None:
        with desk.tx() as tx:
            service.move(tx, desk.actors["m1"], case_id, 1, State.PLAN)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        half()
    assert happened(desk) == before
    assert row(desk, case_id).state == "open"
    close(desk, case_id)
    assert "case.closed" in happened(desk)


def test_only_who_sees_the_client_sees_the_case(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    case_id = opened(desk)
    seen = set()
    for name, actor in desk.actors.items():
        with desk.frame.read() as tx:
            rows, _ = service.list_cases(tx, actor, CaseFilter(), "urgency", 50, None)
            try:
                service.read_case(tx, actor, case_id)
            except NotFound:
                assert rows == []
            else:
                assert [row.case_id for row in rows] == [case_id]
                seen.add(name)
    assert seen == {"m1", "a1", "l1", "d1", "compliance", "analyst", "auditor", "integration"}


def test_an_owner_outside_the_book_is_lent_the_client_until_the_case_closes(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    own = opened(desk)
    assert grants(desk, own) == set()
    lent = opened(desk, client="c2", owner="m3")
    assert grants(desk, lent) == {"m3"}
    with desk.frame.read() as tx:
        assert service.read_case(tx, desk.actors["m3"], lent)
    close(desk, lent, "m3")
    assert grants(desk, lent) == set()
    with desk.frame.read() as tx, pytest.raises(NotFound):
        service.read_case(tx, desk.actors["m3"], lent)


def test_a_client_who_moves_to_another_book_stays_visible_to_the_case_owner(sqlite_desk):
    from keepwell.intervene.case.jobs import lend_to_strangers

    desk = sqlite_desk
    desk.usual()
    case_id = opened(desk)
    desk.publish([{"client_id": "c1", "manager_id": "m4", "branch_id": "bs"}])
    with desk.tx() as tx:
        lend_to_strangers(tx, {})
    assert grants(desk, case_id) == {"m1"}
    with desk.tx() as tx:
        lend_to_strangers(tx, {})
    assert grants(desk, case_id) == {"m1"}


def test_without_profiling_there_is_no_case_from_the_score(desk):
    """Rule PI-4."""
    desk.usual()
    case_id = opened(desk)
    served = opened(desk, reason="complaint-overdue", number="a2")
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.PROFILING, False)
    case = row(desk, case_id)
    assert (case.state, case.close_reason) == ("withdrawn", "profiling-refused")
    assert row(desk, served).live
    with pytest.raises(Conflict, match="PI-4"):
        opened(desk, number="a3")
    with pytest.raises(Conflict, match="PI-4"), desk.tx() as tx:
        service.reopen(tx, desk.actors["m1"], case_id, case.version)
    with pytest.raises(Conflict, match="PI-4"), desk.tx() as tx:
        service.open_manually(tx, desk.actors["m1"], "c1", CaseReason.RISK, "mild", "")
    assert_history_makes_the_row(desk, case_id)


def test_a_refusal_leaves_no_retention_contact_to_any_case(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    case_id = opened(desk)
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.MARKETING, False)
    assert row(desk, case_id).retention == "none"
    assert row(desk, opened(desk, reason="manual", number="a9")).retention == "none"
    assert_history_makes_the_row(desk, case_id)


def test_clocks_may_take_a_case_up_to_lead_and_director(desk):
    from keepwell.frame.events import Event, emit

    desk.usual()
    case_id = opened(desk)

    def call(level, to):
        with desk.tx() as tx:
            data = {"case_id": case_id, "level": level, "to": to}
            emit(tx, Event(EventName.CLOCK_ESCALATED, "clock_1", "system", "c1", data))

    call(1, "l2")  # a lead of another team, so that the loan matters
    case = row(desk, case_id)
    assert (case.level, case.escalated_to, case.owner_id) == (1, "l2", "m1")
    assert grants(desk, case_id) == {"l2"}
    call(2, "d1")
    call(1, "l1")
    case = row(desk, case_id)
    assert (case.level, case.escalated_to) == (2, "d1")
    assert_history_makes_the_row(desk, case_id)
    close(desk, case_id)
    assert grants(desk, case_id) == set()
    call(2, "d1")
    assert grants(desk, case_id) == set()


def test_history_keeps_growing_and_is_never_rewritten(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    case_id = opened(desk)

    def lines():
        with desk.frame.read() as tx:
            return [
                (e.event_id, e.kind, e.old, e.new) for e, _ in repo.history(tx, case_id, 99, None)
            ]

    seen = lines()
    with desk.tx() as tx:
        service.move(tx, desk.actors["m1"], case_id, 1, State.SAVING)
    close(desk, case_id)
    opened(desk, number="a2")
    assert lines()[: len(seen)] == seen
    with desk.frame.read() as tx:
        assert tx.session.scalar(select(func.count()).select_from(CaseEvent)) == len(lines())
