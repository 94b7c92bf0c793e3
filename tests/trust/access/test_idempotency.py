"""A write that is sent twice with one Idempotency-Key has one effect and one answer."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from keepwell.trust.access.model import IdempotencyKey, Region

PATH = "/api/v1/regions"


@pytest.fixture
def full(desk):
    desk.usual()
    return desk


def regions(desk):
    with desk.frame.read() as tx:
        return tx.session.scalar(select(func.count()).select_from(Region))


def post(desk, key, number="west", who="admin", name="West"):
    return desk.http(who, **{"Idempotency-Key": key}).post(
        PATH, json={"region_id": number, "name": name}
    )


def test_a_repeat_gets_the_same_answer_and_does_nothing(full):
    first = post(full, "k1")
    again = post(full, "k1")
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert regions(full) == 3


def test_without_a_key_the_second_is_a_second(full):
    assert full.http("admin").post(PATH, json={"region_id": "w", "name": "W"}).status_code == 201
    assert full.http("admin").post(PATH, json={"region_id": "w", "name": "W"}).status_code == 409


def test_the_key_stands_for_one_request(full):
    post(full, "k1")
    other = post(full, "k1", number="east")
    assert (other.status_code, other.json()["code"]) == (409, "request.key-conflict")
    http = full.http("admin", **{"Idempotency-Key": "k1"})
    elsewhere = http.post("/api/v1/branches", json={"branch_id": "west", "name": "West"})
    assert elsewhere.json()["code"] == "request.key-conflict"
    assert regions(full) == 3


def test_the_version_is_part_of_the_request(full):
    http = full.http("admin", **{"Idempotency-Key": "k1"})
    change = {"name": "New"}
    path = f"{PATH}/north"
    assert http.patch(path, json=change, headers={"If-Match": '"1"'}).status_code == 200
    assert http.patch(path, json=change, headers={"If-Match": '"1"'}).status_code == 200
    assert http.patch(path, json=change, headers={"If-Match": '"2"'}).status_code == 409


def test_keys_of_different_users_are_different_keys(full):
    full.another("second", "admin")
    post(full, "k1")
    assert post(full, "k1", who="second").json()["code"] == "access.place-taken"


def test_a_refused_request_leaves_the_key_free(full):
    post(full, "k0")
    assert post(full, "k1").status_code == 409
    assert post(full, "k1", number="east").status_code == 201


def test_a_key_is_kept_for_a_day_and_then_pruned(full):
    post(full, "k1")
    full.now.move(hours=24)
    assert post(full, "k1").headers["idempotency-replayed"] == "true"
    full.now.move(seconds=1)
    assert post(full, "k1").json()["code"] == "access.place-taken"
    full.later(hours=2)
    with full.frame.read() as tx:
        assert tx.session.scalars(select(IdempotencyKey)).all() == []


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_unusable_keys_are_refused(full, key):
    assert post(full, key).json()["code"] == "request.key-invalid"


def test_many_at_once_have_one_effect_and_one_answer(full):
    clients = [full.http("admin", **{"Idempotency-Key": "same"}) for _ in range(6)]
    clients[0].get("/api/v1/me")  # the application and the connections are there
    gate = threading.Barrier(len(clients))
    answers = []

    def run(http):
        gate.wait()
        answers.append(http.post(PATH, json={"region_id": "west", "name": "West"}))

    threads = [threading.Thread(target=run, args=(http,)) for http in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    fresh = [a for a in answers if "idempotency-replayed" not in a.headers]
    assert len(fresh) == 1
    assert regions(full) == 3


def test_two_that_make_the_same_thing_at_once_are_told_apart(postgres, tmp_path):
    """A unique key that another transaction took meanwhile is a conflict, not a failure."""
    from tests.desk import Desk, Ticker, write_workspace

    desk = Desk.open(write_workspace(tmp_path / "ws"), postgres(), Ticker())
    desk.usual()
    clients = [desk.http("admin") for _ in range(4)]
    clients[0].get("/api/v1/me")
    gate = threading.Barrier(len(clients))
    codes = []

    def run(http):
        gate.wait()
        codes.append(http.post(PATH, json={"region_id": "west", "name": "West"}).status_code)

    threads = [threading.Thread(target=run, args=(http,)) for http in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [201, 409, 409, 409]
    desk.close()
