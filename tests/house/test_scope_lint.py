"""No select without row scope, no endpoint without a permission, no commit by the way."""

from __future__ import annotations

import pytest

from keepwell import rooms
from keepwell.frame.database import Base
from tests.house.scope_lint import MAY_COMMIT, OUTSIDE_REPO, SRC, UNGUARDED, check, modules


@pytest.fixture(scope="module")
def with_client() -> frozenset[str]:
    rooms.load("model")
    return frozenset(
        mapper.class_.__name__ for mapper in Base.registry.mappers if "client_id" in mapper.columns
    )


def test_the_rooms_keep_the_rules(with_client):
    faults = [fault for path, source in modules() for fault in check(path, source, with_client)]
    assert faults == []


def test_what_is_excepted_is_there(with_client):
    assert {"Client", "ClientGrant", "Unmasking"} <= with_client
    for path in [*OUTSIDE_REPO, *MAY_COMMIT, *(name.split(":")[0] for name in UNGUARDED)]:
        assert (SRC / path).is_file()


HEAD = "from sqlalchemy import delete, select, update\nimport sqlalchemy as sa\n"


@pytest.mark.parametrize(
    ("path", "source", "word"),
    [
        ("trust/x/service.py", "select(User)", "select() outside"),
        ("trust/x/service.py", "tx.session.execute(update(User))", "update() outside"),
        ("trust/x/api.py", "tx.session.execute(delete(User))", "delete() outside"),
        ("trust/x/jobs.py", "sa.select(User)", "select() outside"),
        ("trust/x/service.py", "tx.session.get(User, 1)", "session.get() outside"),
        ("trust/x/service.py", "session.query(User)", "session.query() outside"),
        ("trust/x/repo.py", "def f(tx):\n    return select(Client)", "select of Client without"),
        ("trust/x/repo.py", "def f(tx):\n    return select(Client.name)", "select of Client"),
        ("trust/x/repo.py", "def f():\n    return sa.select(Client)", "select of Client"),
        ("trust/x/repo.py", "S = select(Client)", "select of Client"),
        (
            "trust/x/repo.py",
            "def f(tx):\n    return select(User).join(Client, Client.a == User.a)",
            "select of Client",
        ),
        (
            "trust/x/repo.py",
            "def f(tx, a):\n    return visible(tx, a)\n\ndef g(tx):\n    return select(Client)",
            "select of Client",
        ),
        ("trust/x/api.py", "@router.get('/x')\ndef f():\n    pass", "has 0 guards"),
        ("trust/x/api.py", "@router.post('/x')\nasync def f(a=1):\n    pass", "has 0 guards"),
        (
            "trust/x/api.py",
            "@router.get('/x')\ndef f(a=allow(None), b=allow(None)):\n    pass",
            "has 2 guards",
        ),
        (
            "trust/x/api.py",
            "def s():\n    yield session\n\ndef g(x=Depends(s)):\n    pass",
            "dependency that yields",
        ),
        ("trust/x/service.py", "tx.session.commit()", "commit() outside"),
    ],
)
def test_a_planted_fault_is_found(path, source, word):
    found = check(path, HEAD + source, frozenset({"Client"}))
    assert len(found) == 1
    assert word in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("trust/x/repo.py", "def f(tx):\n    return select(User)"),
        (
            "trust/x/repo.py",
            "def f(tx, a):\n    return select(Note).where(scoped(tx, a, Note.client_id))",
        ),
        ("trust/x/repo.py", "def f():\n    return select(Client)  # unscoped: counts only"),
        ("trust/x/repo.py", "def f(tx, a):\n    q = select(Client)\n    return visible(tx, a)"),
        ("trust/x/service.py", "d.get(User)\nx.update(User)\nrouter.delete('/x')"),
        ("trust/x/api.py", "@router.get('/x')\ndef f(call=allow(None)):\n    pass"),
        ("trust/x/api.py", "def s():\n    return 1\n\ndef g(x=Depends(s)):\n    pass"),
        ("frame/database.py", "session.commit()"),
    ],
)
def test_what_is_right_passes(path, source):
    assert check(path, HEAD + source, frozenset({"Client", "Note"})) == []
