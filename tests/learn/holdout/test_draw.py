"""The hold-out in the database: drawn, sticky, provable, and what the API tells of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from keepwell.frame.problem import Conflict
from keepwell.learn.holdout import service
from keepwell.learn.holdout.model import HoldoutArm, HoldoutBlock, HoldoutPeriod
from tests.desk import Desk


def book(managers: dict[str | None, int], first: int = 0) -> list[dict[str, object]]:
    rows = []
    for manager, n in managers.items():
        rows += [
            {"client_id": f"{manager}-{i}", "manager_id": manager, "branch_id": "bn"}
            for i in range(first, first + n)
        ]
    return rows


def arms(desk) -> dict[str, HoldoutArm]:
    with desk.frame.read() as tx:
        return {row.client_id: row for row in tx.session.scalars(select(HoldoutArm))}


def test_the_whole_book_is_drawn_blocked_by_manager_and_can_be_drawn_again(desk):
    desk.staff_up()
    rows = book({"m1": 130, "m2": 7, "m3": 40, None: 60})
    number = desk.publish(rows)
    assert service.draw(desk.frame, number) == 237
    drawn = arms(desk)
    for manager, n in (("m1", 130), ("m2", 7), ("m3", 40), ("None", 60)):
        of = [r for c, r in drawn.items() if c.split("-")[0] == manager]
        held = sum(r.arm == "hold-out" for r in of)
        assert abs(held - n * 0.05) < 1
        assert {r.propensity for r in of} <= {0.05, 0.95}
    assert service.draw(desk.frame, number) == 0
    with desk.frame.read() as tx:
        assert service.redo(tx, "2026", desk.frame.secret) == []
        assert service.redo(tx, "2026", b"another secret") != []
        counted = tx.session.execute(
            select(func.sum(HoldoutBlock.clients), func.sum(HoldoutBlock.held_out))
        ).one()
        assert tuple(counted) == (237, sum(r.arm == "hold-out" for r in drawn.values()))


def test_each_draw_is_proved_by_one_entry_with_its_digest(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    first = desk.publish(book({"m1": 50, "m2": 50}))
    service.draw(desk.frame, first)
    desk.now.move(seconds=1)
    second = desk.publish([*book({"m1": 50, "m2": 50}), *book({"m1": 3, None: 4}, first=50)])
    service.draw(desk.frame, second)
    service.draw(desk.frame, second)
    told = [e["entry"] for e in desk.http("auditor").get(
        "/api/v1/evidence/entries", params={"kind": "holdout.drawn"}
    ).json()["items"]][::-1]  # fmt: skip
    assert [
        (e["subject"], e["data"]["generation_id"], e["data"]["drawn"], e["data"]["blocks"])
        for e in told
    ] == [("2026", first, 100, 2), ("2026", second, 7, 2)]
    secret = desk.frame.secret

    def digests(key=secret):
        with desk.frame.read() as tx:
            return [service.digest_of(tx, "2026", e["data"]["batch"], key) for e in told]

    stored = [e["data"]["digest"] for e in told]
    assert digests() == stored
    assert not set(digests(b"another secret")) & set(stored)
    with desk.tx() as tx:
        row = tx.session.get_one(HoldoutArm, ("2026", "m2-3"))
        row.arm = "contact" if row.arm == "hold-out" else "hold-out"
    assert digests()[0] != stored[0]
    assert digests()[1] == stored[1]


def test_an_arm_that_was_tampered_with_is_found(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    service.draw(desk.frame, desk.publish(book({"m1": 50, "m2": 50})))
    with desk.tx() as tx:
        row = tx.session.get_one(HoldoutArm, ("2026", "m2-3"))
        row.arm = "contact" if row.arm == "hold-out" else "hold-out"
    with desk.frame.read() as tx:
        assert service.redo(tx, "2026", desk.frame.secret) == ["m2/1"]


def test_arms_stick_and_newcomers_get_blocks_of_their_own(desk):
    desk.staff_up()
    service.draw(desk.frame, desk.publish(book({"m1": 60})))
    before = {c: r.arm for c, r in arms(desk).items()}
    desk.now.move(days=30)
    # Everybody changes the manager, forty are new.
    rows = [row | {"manager_id": "m2"} for row in book({"m1": 60}) + book({"m1": 40}, first=60)]
    assert service.draw(desk.frame, desk.publish(rows)) == 40
    after = arms(desk)
    assert {c: after[c].arm for c in before} == before
    fresh = [r for c, r in after.items() if c not in before]
    assert {r.stratum for r in fresh} == {"m2/2"}
    assert sum(r.arm == "hold-out" for r in fresh) == 2


def test_who_comes_between_publications_is_drawn_alone_and_stays(desk):
    desk.usual()
    with desk.tx() as tx:
        first = service.arm_of(tx, "new", "m1")
        assert service.arm_of(tx, "new", "m2") == first
        again = service.arms_of(tx, [("new", "m1"), ("newer", "m1"), ("nobodys", None)])
        assert again["new"] == first
    assert first.period == "2026"
    assert {r.stratum for r in arms(desk).values()} == {"m1/-", "/-"}
    with desk.frame.read() as tx:
        assert service.redo(tx, "2026", desk.frame.secret) == []
        assert tx.session.get_one(HoldoutBlock, ("2026", "m1/-")).clients == 2


def test_another_year_is_another_draw(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    number = desk.publish(book({"m1": 400}))
    service.draw(desk.frame, number)
    held = {c for c, r in arms(desk).items() if r.arm == "hold-out"}
    desk.now.set(datetime(2026, 12, 31, 15, 59, tzinfo=UTC))
    assert service.draw(desk.frame, number) == 0
    desk.now.set(datetime(2026, 12, 31, 16, 0, tzinfo=UTC))  # midnight in Shanghai
    assert service.draw(desk.frame, number) == 400
    with desk.frame.read() as tx:
        rows = tx.session.scalars(select(HoldoutArm).where(HoldoutArm.period == "2027"))
        fresh = {r.client_id for r in rows if r.arm == "hold-out"}
    assert len(held) == len(fresh) == 20
    assert len(held & fresh) < 10


def test_a_changed_share_waits_for_the_next_year(sqlite_desk, tmp_path):
    desk = sqlite_desk
    desk.staff_up()
    service.draw(desk.frame, desk.publish(book({"m1": 100})))
    url = str(desk.frame.database.url)
    other = Desk.open(desk.frame.workspace.root, url, desk.now, holdout={"share": 0.2})
    other.publish(book({"m1": 200}))
    with other.tx() as tx:
        assert service.arm_of(tx, "m1-150", "m1").propensity in (0.05, 0.95)
    other.now.set(datetime(2027, 3, 1, tzinfo=UTC))
    with other.tx() as tx:
        assert service.arm_of(tx, "m1-150", "m1").propensity in (0.2, 0.8)
    other.close()


def test_a_lost_secret_is_told_and_moves_nobody(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    service.draw(desk.frame, desk.publish(book({"m1": 10})))
    url = str(desk.frame.database.url)
    other = Desk.open(desk.frame.workspace.root, url, desk.now, secret="x" * 32)
    with pytest.raises(Conflict) as caught, other.tx() as tx:
        service.arm_of(tx, "m1-1", "m1")
    assert caught.value.code == "holdout.secret-changed"
    other.close()


def test_a_block_too_large_for_one_transaction_is_drawn_in_parts(sqlite_desk, monkeypatch):
    monkeypatch.setattr(service, "LARGEST", 100)
    desk = sqlite_desk
    desk.staff_up()
    number = desk.publish(book({"m1": 430, "m2": 5}))
    assert service.draw(desk.frame, number) == 435
    strata = {r.stratum for r in arms(desk).values()}
    assert {"m1/1.0", "m1/1.4", "m2/1"} <= strata
    with desk.frame.read() as tx:
        assert service.redo(tx, "2026", desk.frame.secret) == []


def test_a_draw_that_died_half_way_is_finished(sqlite_desk, monkeypatch):
    monkeypatch.setattr(service, "CHUNK", 10)
    desk = sqlite_desk
    desk.staff_up()
    number = desk.publish(book({"m1": 30, "m2": 30, "m3": 30}))
    calls = []

    def die() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.draw(desk.frame, number, die)
    assert len(arms(desk)) == 60
    assert service.draw(desk.frame, number) == 30
    with desk.frame.read() as tx:
        assert service.redo(tx, "2026", desk.frame.secret) == []


def test_the_api_tells_counts_and_never_who(desk):
    desk.staff_up()
    rows = book({"m1": 100, "m3": 40})
    rows += [{"client_id": "south", "manager_id": "m4", "branch_id": "bs"}]
    assert desk.http("analyst").get("/api/v1/holdout").status_code == 404
    service.draw(desk.frame, desk.publish(rows))
    seen = desk.http("analyst").get("/api/v1/holdout").json()
    assert (seen["period"], seen["share"], seen["clients"]) == ("2026", 0.05, 141)
    assert seen["alarm"] is False
    assert [m["manager_id"] for m in seen["managers"]] == ["m1", "m3", "m4"]
    assert seen["managers"][0] == {"manager_id": "m1", "contact": 95, "held_out": 5}
    first = desk.http("analyst").get("/api/v1/holdout", params={"limit": 2}).json()
    rest = desk.http("analyst").get("/api/v1/holdout", params={"limit": 2, "cursor": first["next"]})
    assert [m["manager_id"] for m in rest.json()["managers"]] == ["m4"]
    for who in ("m1", "l1", "d1", "integration"):  # they act on clients
        assert desk.http(who).get("/api/v1/holdout").status_code == 403
    assert desk.http("analyst").get("/api/v1/holdout?period=2025").status_code == 404
    assert desk.http("analyst").get("/api/v1/holdout?period=20x5").status_code == 422


def test_a_broken_draw_raises_the_alarm(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    service.draw(desk.frame, desk.publish(book({"m1": 1000})))
    with desk.tx() as tx:
        tx.session.get_one(HoldoutBlock, ("2026", "m1/1")).held_out = 90
    assert desk.http("analyst").get("/api/v1/holdout").json()["alarm"] is True
    with desk.frame.read() as tx:
        assert tx.session.get_one(HoldoutPeriod, "2026").share == 50_000
