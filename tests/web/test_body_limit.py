"""Bodies above the limit: 413 whether their length is said or not, and the desk goes on."""

from __future__ import annotations

import pytest

from keepwell.frame.problem import MEDIA_TYPE

BIG = 9_000_000


@pytest.fixture
def http(sqlite_desk):
    sqlite_desk.usual()
    return sqlite_desk.http("integration")


def test_a_said_length_above_the_limit_is_refused_unread(http):
    answer = http.post("/api/v1/events", content=b" " * BIG)
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith(MEDIA_TYPE)
    assert answer.json()["code"] == "request.body-too-large"
    assert "8 MB" in answer.json()["detail"]


def test_a_stream_above_the_limit_is_refused_when_it_gets_there(http):
    def parts():
        for _ in range(9):
            yield b" " * 1_000_000

    answer = http.post("/api/v1/events", content=parts())
    assert answer.status_code == 413
    assert http.get("/api/v1/me").status_code == 200


def test_below_the_limit_the_endpoint_answers(http):
    assert http.post("/api/v1/events", content=b" " * 7_000_000).status_code == 422


def test_it_speaks_chinese(http):
    answer = http.post("/api/v1/events", content=b" " * BIG, headers={"Accept-Language": "zh-CN"})
    assert "超过" in answer.json()["detail"]
