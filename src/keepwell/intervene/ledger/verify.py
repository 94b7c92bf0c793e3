"""Verification of a client's ledger: every line recomputed, and found in the evidence log.

Three things are asked of each line. Is the row as it was written: its digest is computed again and
compared with the commitment in an entry. Is that entry in the log that was signed: by an inclusion
proof against the newest checkpoint. Is a recommendation what it says: it is made again from its
record. And of the entries: is everything that they vouch for still there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from keepwell.core.digest import digest_of
from keepwell.core.errors import DataError, UsageError
from keepwell.frame.database import Tx
from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.action.gather import catalogue_of
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.action.record import replay, restore
from keepwell.intervene.ledger.policy import Checked, Kind, Line, Status, Verdict
from keepwell.learn.outcome import repo as outcomes
from keepwell.learn.outcome.policy import SEALED, batch_digest, seal_of
from keepwell.learn.outcome.service import erased
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence import repo as evidence
from keepwell.trust.evidence.attest import TABLES, seal
from keepwell.trust.evidence.finding import Finding
from keepwell.trust.evidence.match import Told
from keepwell.trust.evidence.policy import EvidenceKind, commitment, opening_key
from keepwell.trust.evidence.prove import Seen, verify_entries
from keepwell.trust.suitability.rulebook import RuleBook

_TABLES: Final = {
    Kind.DECISION: "treatment", Kind.CASE: "case_event", Kind.CONTACT: "contact",
    Kind.DELIVERY: "contact_delivery",
}  # fmt: skip
"""Tables whose rows entries vouch for one by one."""

_TOUCHES: Final = (EvidenceKind.TOUCH_LOGGED, EvidenceKind.CONTACT_BREACHED)


def verify(tx: Tx, client_id: str, lines: list[Line], *, whole: bool) -> Verdict:
    """Verify a ledger.

    Args:
        tx: the transaction that read the lines.
        client_id: whose ledger.
        lines: of it.
        whole: whether the decisions are among the lines; else nothing is said of them.
    """
    salt = evidence.salts(tx, [client_id]).get(client_id)
    verdict = Verdict()
    checkpoint, head = evidence.latest_checkpoint(tx), evidence.head(tx)
    verdict.size = checkpoint.size if checkpoint else 0
    verdict.verifier = head.verifier if head else ""
    seen = []
    if salt is not None:
        # The caller checked that the reader may see the client; whose entries those are is fixed.
        seen = verify_entries(tx, SYSTEM, evidence.Search(token=salt.token))
    job = _Job(tx, salt.salt if salt else b"", catalogue_of(tx), RuleBook.shipped(), seen)
    for line in lines:
        verdict.checked[line.id] = job.check(line)
    verdict.missing = job.missing(lines, whole)
    return verdict


@dataclass
class _Job:
    tx: Tx
    salt: bytes
    catalogue: Catalogue
    rules: RuleBook
    seen: list[Seen]
    told: Told = field(default_factory=Told)
    entries: dict[str, Seen] = field(default_factory=dict)
    subjects: dict[tuple[str, str], Seen] = field(default_factory=dict)
    batches: dict[str, tuple[Seen | None, list[Finding]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.seen:
            self.told.hear(one.entry)
            self.entries[one.entry["id"]] = one
            self.subjects.setdefault((one.entry["kind"], one.entry["subject"]), one)

    def check(self, line: Line) -> Checked:
        """Verify a line."""
        if line.kind is Kind.RECOMMENDATION:
            return self._recommendation(line)
        if line.kind is Kind.OUTCOME:
            return self._outcome(line)
        if line.kind is Kind.CONTACT and line.row.delivery is None:
            return self._old_contact(line)
        return self._vouched(line)

    def missing(self, lines: list[Line], whole: bool) -> list[Finding]:
        """What entries vouch for, and the ledger has not."""
        tables = {name for kind, name in _TABLES.items() if whole or kind is not Kind.DECISION}
        there = {self._name(line) for line in lines if line.kind in _TABLES}
        found = [
            Finding("row.missing", {"row": name, "id": entry_id})
            for name, (_, entry_id, _, _) in sorted(self.told.rows.items())
            if name.split("/", 1)[0] in tables and name not in there
        ]
        ids = {line.id for line in lines if line.kind is Kind.RECOMMENDATION}
        for (kind, subject), one in sorted(self.subjects.items()):
            if kind == EvidenceKind.RECOMMENDATION_MADE and subject not in ids:
                row = f"recommendation/{subject}"
                found.append(Finding("row.missing", {"row": row, "id": one.entry["id"]}))
        return found

    def _name(self, line: Line) -> str:
        return f"{_TABLES[line.kind]}/{line.id}"

    def _vouched(self, line: Line) -> Checked:
        table, name = TABLES[_TABLES[line.kind]], self._name(line)
        _, entry_id, _, given = self.told.rows.get(name, (0, "", "", ""))
        if not entry_id:
            return _failed(Finding("row.extra", {"row": name}))
        values = {column: getattr(line.row, column) for column in table.columns}
        same = seal(self.salt, entry_id, name, table.digest(values)) == given
        wrong = [] if same else [Finding("row.changed", {"row": name, "id": entry_id})]
        return _judged(self.entries[entry_id], wrong)

    def _old_contact(self, line: Line) -> Checked:
        """A contact from before rows were vouched for: its entry says the most of it."""
        name, row = self._name(line), line.row
        known = [self.subjects[k, line.id] for k in _TOUCHES if (k, line.id) in self.subjects]
        if not known:
            return _failed(Finding("row.extra", {"row": name}))
        one = known[0]
        if name in self.told.rows:  # it was made to look older than it is
            return _failed(Finding("row.changed", {"row": name, "id": one.entry["id"]}))
        data = one.entry["data"]
        same = all(
            data.get(n) == getattr(row, n)
            for n in ("case_id", "channel", "direction", "aim", "result", "breach", "script_id",
                      "action_id", "action_version")
        )  # fmt: skip
        wrong = [] if same else [Finding("row.changed", {"row": name, "id": one.entry["id"]})]
        return _judged(one, wrong)

    def _recommendation(self, line: Line) -> Checked:
        row: Recommended = line.row
        name = f"recommendation/{line.id}"
        one = self.subjects.get((EvidenceKind.RECOMMENDATION_MADE, line.id))
        if one is None:
            return _failed(Finding("row.extra", {"row": name}))
        entry_id, data = one.entry["id"], one.entry["data"]
        wrong = Finding("row.changed", {"row": name, "id": entry_id})
        findings = []
        if (data["case_id"], data["number"]) != (row.case_id, row.number):
            findings.append(wrong)
        if row.record is None:
            if one.entry["client"] not in self.told.unscored:
                findings.append(wrong)
            return _judged(one, findings, Status.EMPTIED)
        sealed = {"recommended": digest_of(row.record), "said": row.script_id or ""}
        committed = one.entry["personal"]
        fits = all(
            commitment(opening_key(self.salt, entry_id, field), value) == committed[field]
            for field, value in sealed.items()
            if field in committed
        )
        if not fits or not _columns_fit(row):
            findings.append(wrong)
        same, problem = self._again(row)
        if problem is not None:
            findings.append(Finding("replay.impossible", {"row": name, "problem": problem}))
        elif not same:
            findings.append(Finding("replay.different", {"row": name}))
        return _judged(one, findings, same=same)

    def _again(self, row: Recommended) -> tuple[bool, str | None]:
        """Make a recommendation again; whether it is the same, or what kept it from being made."""
        assert row.record is not None
        try:
            recommender = restore(row.record["context"], self.catalogue, self.rules)
            _, made = replay(row.record["made"], recommender)
        except (DataError, UsageError) as error:
            return False, error.words()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return False, type(error).__name__
        return digest_of(made) == digest_of(row.record["made"]), None

    def _outcome(self, line: Line) -> Checked:
        row, name = line.row, f"outcome/{line.id}"
        one, findings = self._batch(row.batch_id)
        if one is None:
            return _failed(Finding("row.extra", {"row": name}))
        findings = list(findings)
        wrong = Finding("row.changed", {"row": name, "id": one.entry["id"]})
        if erased(row):
            if not self.told.unscored:
                findings.append(wrong)
            return _judged(one, findings, Status.EMPTIED)
        if seal_of(self.salt, {n: getattr(row, n) for n in SEALED}) != row.seal:
            findings.append(wrong)
        return _judged(one, findings)

    def _batch(self, batch_id: str) -> tuple[Seen | None, list[Finding]]:
        """The entry of a batch, and what is wrong with the seals of all its rows."""
        if batch_id not in self.batches:
            wanted = evidence.Search(kind=EvidenceKind.OUTCOME_MATURED, subject=batch_id)
            one = next(iter(verify_entries(self.tx, SYSTEM, wanted)), None)
            findings = []
            seals = outcomes.of_batch(self.tx, batch_id)
            if one and batch_digest(seals) != one.entry["data"]["digest"]:
                fields = {"batch": batch_id, "id": one.entry["id"]}
                findings.append(Finding("batch.digest-wrong", fields))
            self.batches[batch_id] = one, findings
        return self.batches[batch_id]


def _columns_fit(row: Recommended) -> bool:
    """Whether the columns beside a record say what the record says."""
    assert row.record is not None
    made = row.record["made"]
    try:
        answer = {name: made[name] for name in ("owed", "best", "runner_up", "options")}
    except (KeyError, TypeError):
        return False
    best = f"{row.best_id}@{row.best_version}" if row.best_id else None
    after = f"{row.next_id}@{row.next_version}" if row.next_id else None
    told: tuple[Any, ...] = (best, after, row.answer)
    return told == (made["best"], made["runner_up"], digest_of(answer))


def _failed(*findings: Finding) -> Checked:
    return Checked(Status.FAILED, findings=findings)


def _judged(
    one: Seen, wrong: list[Finding], fine: Status = Status.VERIFIED, same: bool | None = None
) -> Checked:
    findings = (*wrong, *one.findings)
    status = fine if one.covered else Status.WAITING
    return Checked(
        Status.FAILED if findings else status, one.entry["id"], one.index, same, findings
    )
