"""What the audit of the evidence log asks of outcomes: every row, and every batch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from keepwell.frame.database import Tx
from keepwell.learn.outcome import repo
from keepwell.learn.outcome.policy import SEALED, batch_digest, seal_of
from keepwell.learn.outcome.service import erased
from keepwell.trust.evidence.finding import Report
from keepwell.trust.evidence.match import CHECKS, Told


def check(tx: Tx, told: Told, salts: Mapping[str, tuple[str, bytes]], report: Report) -> None:
    """Compute every outcome's seal again, and every batch's digest.

    Args:
        tx: the transaction of the audit.
        told: what entries say; batches that were found are struck off.
        salts: client to token and salt; who was forgotten is not among them.
        report: takes what is wrong.
    """
    for batch_id, group in groupby(repo.stream(tx), key=lambda row: str(row.batch_id)):
        rows = list(group)
        report.rows += len(rows)
        entry_id, digest = told.batches.pop(batch_id, ("", ""))
        if not entry_id:
            report.add("row.extra", row=f"outcome/{rows[0].outcome_id}")
            continue
        if batch_digest(row.seal for row in rows) != digest:
            report.add("batch.digest-wrong", batch=batch_id, id=entry_id)
        for row in rows:
            token, salt = salts.get(row.client_id, ("", b""))
            if not token:
                continue
            values = {name: getattr(row, name) for name in SEALED}
            fits = token in told.unscored if erased(row) else seal_of(salt, values) == row.seal
            if not fits:
                report.add("row.changed", row=f"outcome/{row.outcome_id}", id=entry_id)
    for batch_id, (entry_id, _) in sorted(told.batches.items()):
        report.add("row.missing", row=f"outcome, batch {batch_id}", id=entry_id)


CHECKS.append(check)
