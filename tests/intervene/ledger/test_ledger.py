"""The ledger of one client: complete, in order, made again and found in the evidence log."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from keepwell.cli import app
from keepwell.frame.guard import UNGUARDS
from keepwell.intervene.ledger.service import read_ledger
from keepwell.trust.access.policy import LOCAL, SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.evidence.audit import audit
from keepwell.trust.evidence.sequence import sequence_all
from keepwell.warn.label import Why
from tests.intervene.action import test_recommendation as advice
from tests.intervene.contact.test_delivery import log, say
from tests.intervene.outcome.given import Lake, close, half_a_year


def live_through(desk, monkeypatch):
    """A client is warned of, advised about, called, written to, closed, and leaves."""
    advice.begin(desk)
    lake = Lake(desk, monkeypatch)
    case = advice.warn(desk)
    advice.ask(desk, case)
    desk.now.move(minutes=5)
    used = {"action_id": "service-call", "action_version": 1, "script_id": "any.phone@1"}
    log(desk, case, **used)
    desk.now.move(minutes=5)
    advice.ask(desk, case)
    desk.now.move(minutes=5)
    sent = log(desk, case, channel="sms", result="no-answer", retention=False)
    desk.now.move(minutes=5)
    assert say(desk, sent, "delivered").status_code == 200
    close(desk, case, "recovered", "stayed-after-contact")
    lake.says("c1", 1.0, Why.CLOSED, date(2027, 1, 8))
    half_a_year(desk)
    lake.mature()
    with desk.tx() as tx:
        sequence_all(tx)


def read(desk, actor=LOCAL, client="c1"):
    with desk.frame.read() as tx:
        return read_ledger(tx, actor, client, check=True)


def past_the_guards(desk, table, *statements):
    dialect = "sqlite" if desk.frame.database.is_sqlite else "postgresql"
    with desk.tx() as tx:
        for kind, name, statement in UNGUARDS:
            if (kind, name) == (dialect, table):
                tx.session.execute(text(statement))
        for statement in statements:
            tx.session.execute(text(statement))


def test_everything_stands_in_it_in_order_and_everything_holds(desk, monkeypatch):
    live_through(desk, monkeypatch)
    lines, verdict = read(desk)
    kinds = [line.kind.value for line in lines if line.kind != "case"]
    assert kinds == ["decision", "recommendation", "contact", "recommendation", "contact",
                     "delivery", "outcome"]  # fmt: skip
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    by_kind = {line.kind.value: line for line in lines}
    assert by_kind["decision"].facts["propensity"] > 0.5
    assert by_kind["outcome"].facts["left_day"] == date(2027, 1, 8)
    first = next(line for line in lines if line.kind == "recommendation")
    against = {one.action: one for one in first.refusals}
    assert against["maturing-talk@1"].rules == ("SU-1", "SU-2")
    call = next(line for line in lines if line.kind == "contact")
    assert (call.facts["script_id"], call.facts["delivery"]) == ("any.phone@1", "delivered")
    assert call.facts["propensity"] == by_kind["decision"].facts["propensity"]
    assert verdict.valid
    assert verdict.missing == []
    assert {one.status for one in verdict.checked.values()} == {"verified"}
    same = [one.same for one in verdict.checked.values() if one.same is not None]
    assert same == [True, True]
    with desk.frame.read() as tx:
        assert audit(tx).findings == []
    # Who was drawn is not for everybody.
    told = desk.http("l1").get("/api/v1/clients/c1/ledger").json()
    assert {line["kind"] for line in told["lines"]} == set(kinds) - {"decision"} | {"case"}
    assert desk.http("l1").get("/api/v1/clients/c1/ledger?verify=true").status_code == 403
    whole = desk.http("auditor").get("/api/v1/clients/c1/ledger?verify=true").json()
    assert (whole["verdict"]["valid"], whole["verdict"]["failed"]) == (True, 0)
    assert "decision" in {line["kind"] for line in whole["lines"]}


TAMPERED = {
    "a contact's script": ("contact", "update contact set script_id = 'other.phone@1'"),
    "a contact's result": ("contact", "update contact set result = 'refused'"),
    "a delivery": ("contact_delivery", "update contact_delivery set delivery = 'failed'"),
    "a propensity": ("treatment", "update treatment set propensity = 0.5"),
    "an outcome": ("outcome", "update outcome set y = 0, why = 'stayed'"),
    "an outcome emptied": ("outcome", "update outcome set y = null, why = null"),
    "an outcome's seal": (
        "outcome",
        "update outcome set seal = case when seal > '8' then '0' else 'f' end || substr(seal, 2)"),
    "a recommendation's answer": (
        "recommendation", "update recommendation set best_id = 'visit' where number = 1"),
    "a recommendation's script": (
        "recommendation", "update recommendation set script_id = 'other.phone@1'"),
    "a history": ("case_event", "update case_event set actor_id = 'user_m2' where kind = 'closed'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def lived(sqlite_template, tmp_path_factory):
    from tests.desk import on_sqlite

    desk = on_sqlite(sqlite_template, tmp_path_factory.mktemp("ledger"))
    with pytest.MonkeyPatch.context() as patch:
        live_through(desk, patch)
        yield desk
    desk.close()


def judge_tampered(desk, table, statement):
    """What a verification finds after a statement, which is taken back again."""
    with desk.frame.write() as tx:
        for kind, name, drop in UNGUARDS:
            if (kind, name) == ("sqlite", table):
                tx.session.execute(text(drop))
        tx.session.execute(text(statement))
        tx.session.expire_all()
        found = read_ledger(tx, LOCAL, "c1", check=True)[1]
        if table in ("contact", "contact_delivery", "outcome", "treatment", "evidence_entry"):
            assert not audit(tx).valid  # of the whole log, too
        tx.session.rollback()
    return found


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_changed_past_the_guards_is_found(lived, what):
    table, statement = TAMPERED[what]
    verdict = judge_tampered(lived, table, statement)
    assert not verdict.valid
    failed = [f.code for one in verdict.checked.values() for f in one.findings]
    assert set(failed) <= {"row.changed", "batch.digest-wrong"}
    assert failed


def test_a_row_that_is_gone_or_was_slipped_in_is_found(lived):
    gone = judge_tampered(lived, "contact_delivery", "delete from contact_delivery")
    assert [f.code for f in gone.missing] == ["row.missing"]
    gone = judge_tampered(lived, "recommendation", "delete from refusal")
    assert gone.valid  # what is counted of refusals stands in the record
    slipped = judge_tampered(
        lived, "contact_delivery",
        "insert into contact_delivery select 'delivery_x', contact_id, 2, client_id, 'failed', at, "
        "actor_id, recorded_at from contact_delivery",
    )  # fmt: skip
    assert slipped.checked["delivery_x"].findings[0].code == "row.extra"


def test_a_record_that_was_written_anew_is_made_again_and_differs(lived):
    path = "'$.made.options[0].code'"
    verdict = judge_tampered(
        lived, "recommendation",
        f"update recommendation set record = json_set(record, {path}, 'gate.tier-other')",
    )  # fmt: skip
    codes = {f.code for one in verdict.checked.values() for f in one.findings}
    assert codes == {"row.changed", "replay.different"}
    changed = "update recommendation set record = json_set(record, '$.context.actions.digest', 'x')"
    verdict = judge_tampered(lived, "recommendation", changed)
    assert "replay.impossible" in {f.code for o in verdict.checked.values() for f in o.findings}


def test_an_entry_that_was_written_anew_is_found(lived):
    statement = (
        'update evidence_entry set body = replace(body, \'"result":"reached"\', '
        '\'"result":"refused"\')'
    )
    verdict = judge_tampered(lived, "evidence_entry", statement)
    assert "entry.unproven" in {f.code for o in verdict.checked.values() for f in o.findings}


def test_the_shell_prints_a_line_each_and_a_verdict(lived, monkeypatch):
    monkeypatch.chdir(lived.frame.workspace.root)
    url = f"sqlite:///{lived.frame.database.url.database}"
    monkeypatch.setenv("KEEPWELL_DATABASE_URL", url)
    # The schema is made from the models here, without a revision.
    monkeypatch.setattr("keepwell.frame.migrate.check", lambda frame: None)
    run = CliRunner().invoke(app, ["ledger", "c1", "--verify"])
    assert run.exit_code == 0, run.output
    assert "Outcome: Left on 8 Jan 2027, by the label" in run.output
    assert "made again: the same" in run.output
    assert "- maturing-talk@1: suitability.level-above [SU-1, SU-2]" in run.output
    assert "Everything holds." in run.output
    assert CliRunner().invoke(app, ["ledger", "nobody"]).exit_code != 0
    past_the_guards(lived, "outcome", "update outcome set y = 0")
    run = CliRunner().invoke(app, ["ledger", "c1", "--verify"])
    assert run.exit_code == 1
    assert "! row.changed: " in run.output
    assert "Something does not hold." in run.output
    past_the_guards(lived, "outcome", "update outcome set y = 1")


def test_after_a_refusal_of_profiling_the_ledger_still_holds(sqlite_desk, monkeypatch):
    desk = sqlite_desk
    live_through(desk, monkeypatch)
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.PROFILING, False, tx.at, "desk")
    lines, verdict = read(desk)
    assert verdict.valid
    with desk.tx() as tx:  # nor does the audit miss what the refusal removed
        sequence_all(tx)
        assert audit(tx).findings == []
    status = {line.kind.value: verdict.checked[line.id].status.value for line in lines}
    assert status["outcome"] == status["recommendation"] == "emptied"
    assert status["contact"] == "verified"
    outcome = next(line for line in lines if line.kind == "outcome")
    assert "y" not in outcome.facts
    assert all(line.refusals == () for line in lines)


def test_what_waits_for_a_checkpoint_is_said_to_wait(sqlite_desk):
    desk = sqlite_desk
    advice.begin(desk)
    advice.warn(desk)
    lines, verdict = read(desk)
    assert verdict.valid
    assert {one.status.value for one in verdict.checked.values()} == {"waiting"}
    assert lines
