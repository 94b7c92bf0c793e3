import io
import zipfile

import pytest

from keepwell.intervene.case import files, storage
from keepwell.trust.access.policy import SYSTEM
from tests.intervene.case.helpers import open_case

PDF = b"%PDF-1.7\nhello"


@pytest.fixture
def case(sqlite_desk):
    sqlite_desk.usual()
    return open_case(sqlite_desk)


def match(version):
    return {"If-Match": f'"{version}"'}


def test_a_case_from_opening_to_the_end(desk):
    desk.usual()
    m1 = desk.http("m1")
    made = m1.post("/api/v1/cases", json={"client_id": "c1", "title": "Fees"})
    assert made.status_code == 201, made.text
    case = made.json()
    url = made.headers["location"]
    assert url == f"/api/v1/cases/{case['case_id']}"
    assert (case["state"], case["owner_id"], case["owner_name"]) == ("open", "m1", "Person m1")
    read = m1.get(url)
    assert read.headers["etag"] == made.headers["etag"]
    assert read.json()["title"] == "Fees"
    moved = m1.post(
        f"{url}/move", json={"state": "saving"}, headers={"If-Match": read.headers["etag"]}
    )
    assert moved.json()["state"] == "saving"
    body = {"outcome": "recovered", "reason": "service-fixed", "note": "Done."}
    closed = m1.post(f"{url}/close", json=body, headers={"If-Match": moved.headers["etag"]})
    assert (closed.status_code, closed.json()["live"]) == (200, False)
    again = m1.post(f"{url}/reopen", headers={"If-Match": closed.headers["etag"]})
    assert again.json()["state"] == "open"
    lines = m1.get(f"{url}/history").json()["items"]
    assert [line["kind"] for line in lines] == ["opened", "edited", "moved", "closed", "reopened"]
    assert lines[2]["old"]["state"] == "open"
    assert lines[2]["new"]["state"] == "saving"
    assert {line["actor_name"] for line in lines} == {"Person m1"}


def test_changes_need_the_version_that_was_read(sqlite_desk, case):
    m1, l1 = sqlite_desk.http("m1"), sqlite_desk.http("l1")
    url = f"/api/v1/cases/{case}"
    assert m1.patch(url, json={"title": "x"}).status_code == 428
    assert m1.patch(url, json={"title": "x"}, headers=match(1)).status_code == 200
    stale = l1.patch(url, json={"title": "y"}, headers=match(1))
    assert stale.status_code == 412
    assert "version 2" in stale.json()["detail"]
    for verb, body in (
        ("move", {"state": "plan"}),
        ("close", {"outcome": "lost", "reason": "not-reached", "note": "n"}),
        ("reopen", None),
    ):
        assert l1.post(f"{url}/{verb}", json=body, headers=match(1)).status_code == 412
    assert m1.get(url).json()["title"] == "x"


def test_of_two_who_edit_at_once_one_is_told_and_nothing_is_lost(desk):
    """Rounds of two people who read the same version and save different fields together."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    desk.usual()
    url = f"/api/v1/cases/{open_case(desk)}"
    people = [desk.http("m1"), desk.http("l1")]
    for round_ in range(4):
        gate = Barrier(2)
        etag = people[0].get(url).headers["etag"]
        version = int(etag.strip('"'))
        changes = [{"title": f"title {round_}"}, {"plan": f"plan {round_}"}]

        def save(which, etag=etag, changes=changes, gate=gate):
            gate.wait(10)
            return people[which].patch(url, json=changes[which], headers={"If-Match": etag})

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(save, (0, 1)))
        assert sorted(a.status_code for a in answers) == [200, 412]
        late = [a.status_code for a in answers].index(412)
        body = answers[late].json()
        assert body["code"] == "request.condition-stale"
        assert f"version {version + 1}" in body["detail"]
        # Told so, the second reads what the first did, and adds to it.
        now = people[late].get(url)
        assert now.headers["etag"] == f'"{version + 1}"'
        assert changes[1 - late].items() <= now.json().items()
        match_ = {"If-Match": now.headers["etag"]}
        assert people[late].patch(url, json=changes[late], headers=match_).status_code == 200
        after = people[0].get(url).json()
        assert {**changes[0], **changes[1]}.items() <= after.items()
    edits = [h for h in people[0].get(f"{url}/history").json()["items"] if h["kind"] == "edited"]
    assert len(edits) == 8


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"outcome": "recovered", "reason": "not-reached", "note": "n"}, 422),
        ({"outcome": "withdrawn", "reason": "profiling-refused", "note": "n"}, 422),
        ({"outcome": "lost", "reason": "not-reached"}, 422),
        ({"outcome": "lost", "reason": "not-reached", "note": "a\x00b"}, 422),
        ({"outcome": "lost", "reason": "not-reached", "note": "n"}, 200),
    ],
)
def test_closure_needs_an_outcome_a_reason_of_it_and_a_note(sqlite_desk, case, body, status):
    m1 = sqlite_desk.http("m1")
    got = m1.post(f"/api/v1/cases/{case}/close", json=body, headers=match(1))
    assert got.status_code == status


def test_opening_by_hand_minds_the_live_case_and_the_scope(sqlite_desk, case):
    m1 = sqlite_desk.http("m1")
    twice = m1.post("/api/v1/cases", json={"client_id": "c1", "reason": "risk"})
    assert twice.status_code == 409
    assert case in twice.json()["detail"]
    assert m1.post("/api/v1/cases", json={"client_id": "c4"}).status_code == 404
    assert (
        sqlite_desk.http("analyst").post("/api/v1/cases", json={"client_id": "c1"}).status_code
        == 403
    )


def test_the_list_filters_sorts_pages_and_downloads(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    ids = {}
    for number, (client, tier) in enumerate(
        [("c1", "mild"), ("c2", "severe"), ("c3", "moderate"), ("c4", "severe")]
    ):
        desk.now.move(minutes=1)
        owner = "m2" if client == "c4" else "m1"
        ids[client] = open_case(desk, client=client, tier=tier, owner=owner, number=f"a{number}")
    from datetime import timedelta

    from keepwell.intervene.case.service import set_next_due

    with desk.tx() as tx:
        for client, minutes in (("c1", 5), ("c2", 90), ("c3", 90), ("c4", None)):
            set_next_due(tx, ids[client], minutes and tx.at + timedelta(minutes=minutes))
    l1 = desk.http("l1")

    def clients(query=""):
        got = l1.get(f"/api/v1/cases?limit=50&{query}")
        assert got.status_code == 200, got.text
        return [item["client_id"] for item in got.json()["items"]]

    assert clients() == ["c1", "c2", "c3", "c4"]
    assert clients("sort=-opened_at") == ["c4", "c3", "c2", "c1"]
    assert clients("tier=severe") == ["c2", "c4"]
    assert clients("owner=m2") == ["c4"]
    assert clients("client=c3&state=open&live=true&level=0&reason=risk") == ["c3"]
    assert clients("live=false") == []
    before = (desk.now.at + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert clients(f"due_before={before}") == ["c1"]
    for sort in ("urgency", "opened_at", "-opened_at"):
        paged, cursor = [], ""
        for _ in range(4):
            page = l1.get(f"/api/v1/cases?limit=1&sort={sort}{cursor}").json()
            paged += [item["client_id"] for item in page["items"]]
            cursor = f"&cursor={page['next']}"
        assert page["next"] is None
        assert paged == clients(f"sort={sort}")
    assert l1.get("/api/v1/cases").json()["items"][3]["next_due_at"] is None
    table = l1.get("/api/v1/cases?format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.count("\n") == 5
    assert desk.http("m1").get("/api/v1/cases?format=csv").status_code == 403
    assert l1.get("/api/v1/cases?sort=risk").status_code == 422
    assert l1.get("/api/v1/cases?due_before=0001-01-01T00:00:00%2B14:00").status_code == 422
    assert l1.get("/api/v1/cases?client=a%00b").status_code == 422


def test_choices_speak_both_languages(sqlite_desk):
    sqlite_desk.usual()
    m1 = sqlite_desk.http("m1")
    english = m1.get("/api/v1/cases/choices").json()
    chinese = m1.get("/api/v1/cases/choices", headers={"Accept-Language": "zh-CN"}).json()
    assert english["outcomes"][0]["title"] == "Recovered"
    assert chinese["outcomes"][0]["title"] == "已挽回"
    assert [o["code"] for o in english["outcomes"] if o["by_system"]] == ["withdrawn"]


def test_notes_are_only_ever_added(sqlite_desk, case):
    m1 = sqlite_desk.http("m1")
    url = f"/api/v1/cases/{case}/notes"
    first = m1.post(url, json={"text": "Called."}).json()
    second = m1.post(url, json={"text": "Wrote.", "corrects_id": first["note_id"]})
    assert second.status_code == 201
    assert m1.post(url, json={"text": "x", "corrects_id": "note_other"}).status_code == 404
    notes = sqlite_desk.http("auditor").get(url).json()["items"]
    assert [(n["text"], n["corrects_id"]) for n in notes] == [
        ("Called.", None), ("Wrote.", first["note_id"]),
    ]  # fmt: skip
    assert m1.get(f"{url}?limit=1").json()["next"]
    assert m1.put(f"{url}/{first['note_id']}", json={"text": "z"}).status_code == 404


def test_tasks_are_given_only_to_who_sees_the_client(sqlite_desk, case):
    m1 = sqlite_desk.http("m1")
    url = f"/api/v1/cases/{case}/tasks"
    task = m1.post(url, json={"title": "Send fees"})
    assert (task.status_code, task.json()["assignee_id"]) == (201, "m1")
    assert m1.post(url, json={"title": "Report", "assignee_id": "a1"}).status_code == 201
    assert m1.post(url, json={"title": "Check", "assignee_id": "l1"}).status_code == 201
    blind = m1.post(url, json={"title": "Peek", "assignee_id": "m4"})
    assert (blind.status_code, blind.json()["code"]) == (422, "case.assignee-unsighted")
    one = f"{url}/{task.json()['task_id']}"
    assert m1.patch(one, json={"done": True}).status_code == 428
    done = m1.patch(
        one, json={"done": True, "due_at": "2026-03-09T09:00:00+08:00"}, headers=match(1)
    )
    assert done.json()["done_by"] == "user_m1"
    assert done.headers["etag"] == '"2"'
    assert m1.patch(one, json={"title": "x"}, headers=match(1)).status_code == 412
    undone = m1.patch(one, json={"done": False, "due_at": None}, headers=match(2)).json()
    assert undone["done_at"] is undone["due_at"] is None
    assert m1.patch(f"{url}/task_0", json={"done": True}, headers=match(1)).status_code == 404


def office(*parts) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for part in parts:
            archive.writestr(part, "<x/>")
    return file.getvalue()


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("word/document.xml", b"0" * 5_000_000)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (PDF, "a.png", "application/pdf"),
        (b"\x89PNG\r\n\x1a\nxx", "a.pdf", "image/png"),
        (b"\xff\xd8\xff\xe0", "a", "image/jpeg"),
        ("客户".encode(), "a.csv", "text/csv"),
        (b"hello", "a.exe", "text/plain"),
        (b"hel\x00lo", "a.txt", None),
        ("客户".encode("gb18030"), "a.txt", None),
        (b"MZ\x90\x00", "a.pdf", None),
        (office("[Content_Types].xml", "word/document.xml"), "a", storage.DOCX),
        (office("[Content_Types].xml", "xl/workbook.xml"), "a", storage.XLSX),
        (office("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), "a.docx", None),
        (office("[Content_Types].xml", "word/document.xml", "xl/workbook.xml"), "a.docx", None),
        (office("evil.txt"), "a.docx", None),
        (bomb(), "a.docx", None),
        (b"PK\x03\x04 no archive", "a.docx", None),
    ],
)
def test_the_bytes_say_what_a_file_is(content, name, expected):
    assert storage.media_type_of(content, name) == expected


def upload(http, case, content, name="a.pdf", declared="application/pdf"):
    return http.post(f"/api/v1/cases/{case}/attachments", files={"file": (name, content, declared)})


def test_a_file_goes_in_and_comes_out_as_a_download_only(sqlite_desk, case):
    m1 = sqlite_desk.http("m1")
    made = upload(m1, case, PDF, "C:\\x\\费用 “1”.pdf", "text/html")
    assert made.status_code == 201, made.text
    file = made.json()
    assert (file["name"], file["media_type"], file["size"]) == (
        "费用 “1”.pdf",
        "application/pdf",
        14,
    )
    got = m1.get(f"/api/v1/cases/{case}/attachments/{file['file_id']}")
    assert got.content == PDF
    assert got.headers["content-disposition"].startswith('attachment; filename="')
    assert "\u201c" not in got.headers["content-disposition"]
    assert got.headers["x-content-type-options"] == "nosniff"
    listed = m1.get(f"/api/v1/cases/{case}/attachments").json()["items"]
    assert [item["sha256"] for item in listed] == [file["sha256"]]
    other = sqlite_desk.http("m4")
    assert other.get(f"/api/v1/cases/{case}/attachments/{file['file_id']}").status_code == 404
    storage.path_of(sqlite_desk.frame, file["sha256"]).write_bytes(b"%PDF-other")
    assert m1.get(f"/api/v1/cases/{case}/attachments/{file['file_id']}").status_code == 503


def test_files_that_are_refused_leave_nothing_behind(sqlite_desk, case):
    desk = sqlite_desk
    m1 = desk.http("m1")
    assert upload(m1, case, b"").status_code == 422
    assert upload(m1, case, b"MZ\x00").json()["code"] == "case.file-unacceptable"
    assert upload(m1, case, PDF + b"x" * (10 << 20)).status_code == 413
    assert upload(desk.http("m4"), case, PDF).status_code == 404
    assert upload(desk.http("auditor"), case, PDF).status_code == 403
    assert upload(desk.http(None), case, PDF).status_code == 401
    assert storage.kept(desk.frame) == []


def test_contents_that_no_case_names_are_swept(sqlite_desk, case):
    desk = sqlite_desk
    digest = upload(desk.http("m1"), case, PDF).json()["sha256"]
    orphan = storage.store(desk.frame, b"orphan")
    assert files.sweep(desk.frame) == 1
    assert storage.load(desk.frame, digest) == PDF
    assert storage.load(desk.frame, orphan) is None


def test_the_same_content_is_kept_once(sqlite_desk, case):
    desk = sqlite_desk
    for name in ("a.pdf", "b.pdf"):
        assert upload(desk.http("m1"), case, PDF, name).status_code == 201
    assert len(storage.kept(desk.frame)) == 1
    with desk.tx() as tx:
        from keepwell.intervene.case.work import list_files

        rows, _ = list_files(tx, SYSTEM, case, 50, None)
        assert [row.name for row in rows] == ["a.pdf", "b.pdf"]
