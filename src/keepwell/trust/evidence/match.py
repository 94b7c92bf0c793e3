"""Compares what entries vouch for with the tables: personal values, and rows of the desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.trust.evidence import repo
from keepwell.trust.evidence.attest import PROFILED, TABLES, Attested, seal
from keepwell.trust.evidence.finding import Report
from keepwell.trust.evidence.policy import EvidenceKind, client_token, commitment, opening_key


@dataclass(slots=True)
class Told:
    """What all entries together say of the tables.

    Attributes:
        sealed: entry id to its client's token and its commitments to personal values.
        rows: name of a row to version, entry id, token and commitment of the newest entry.
        forgotten: tokens of clients who were forgotten, as an entry says.
        unscored: tokens of clients who refused profiling once; then scores and tiers go.
        batches: subject of an entry that vouches for many rows at once, to its id and digest.
    """

    sealed: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    rows: dict[str, tuple[int, str, str, str]] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    unscored: set[str] = field(default_factory=set)
    batches: dict[str, tuple[str, str]] = field(default_factory=dict)

    def hear(self, entry: dict[str, Any]) -> None:
        """Take in what an entry says."""
        token = entry.get("client", "")
        if entry["kind"] == EvidenceKind.CLIENT_FORGOTTEN:
            self.forgotten.add(token)
        refusal = (EvidenceKind.CONSENT_REFUSED, EvidenceKind.PROFILING_REFUSED)
        if entry["kind"] in refusal and entry["data"].get("purpose", "profiling") == "profiling":
            self.unscored.add(token)
        if entry["kind"] == EvidenceKind.OUTCOME_MATURED:
            self.batches[entry["subject"]] = entry["id"], str(entry["data"].get("digest"))
        if personal := entry.get("personal"):
            self.sealed[entry["id"]] = (token, dict(personal))
        for name, given in (entry.get("rows") or {}).items():
            base, version = _parted(name)
            known = self.rows.get(base)
            if known is None or version >= known[0]:
                self.rows[base] = (version, entry["id"], token, given)


Check = Callable[[Tx, Told, Mapping[str, tuple[str, bytes]], Report], None]
"""(transaction, what entries say, client -> token and salt, report): compares rows of a room."""

CHECKS: Final[list[Check]] = []
"""Comparisons that rooms add, for rows that entries vouch for in batches."""


def _parted(name: str) -> tuple[str, int]:
    """A row's name without its version, and the version; 0 where the table has none."""
    told = TABLES.get(name.split("/", 1)[0])
    base, _, number = name.rpartition("#")
    if told is None or told.version is None or not number.isdecimal():
        return name, 0
    return base, int(number)


def compare(tx: Tx, told: Told, report: Report) -> None:
    """Look for each personal value and each row, and for what no entry knows."""
    salts = {row.token: (row.client_id, bytes(row.salt)) for row in repo.stream_salts(tx)}
    for token, (client_id, salt) in list(salts.items()):
        if client_token(salt, client_id) != token:
            del salts[token]  # not the salt that it was
    tokens = {token for token, _ in told.sealed.values()}
    tokens |= {token for _, _, token, _ in told.rows.values()}
    lost = {token for token in tokens if token not in salts}
    for token in sorted(lost - told.forgotten):
        report.add("client.lost", client=token)
    _openings(tx, told, {client: (token, salt) for token, (client, salt) in salts.items()}, report)
    for entry_id, (token, fields) in sorted(told.sealed.items()):
        if token not in lost:
            for name in sorted(fields):
                if name not in PROFILED or token not in told.unscored:
                    report.add("opening.missing", id=entry_id, field=name)
    keys = {token: salt for token, (_, salt) in salts.items()}
    for table in TABLES.values():
        _rows(tx, table, told, keys, report)
    known = {client: (token, salt) for token, (client, salt) in salts.items()}
    for check in CHECKS:
        check(tx, told, known, report)
    for name, (_, entry_id, _, _) in sorted(told.rows.items()):
        report.add("row.missing", row=name, id=entry_id)


def _openings(tx: Tx, told: Told, salts: dict[str, tuple[str, bytes]], report: Report) -> None:
    """Check each value, and strike it off what entries are committed to."""
    for row in repo.stream_openings(tx):
        token, salt = salts.get(row.client_id, ("", b""))
        owner, fields = told.sealed.get(row.entry_id, ("", {}))
        given = fields.pop(row.field, None)
        key = opening_key(salt, row.entry_id, row.field)
        if given is None or owner != token or commitment(key, row.value) != given:
            report.add("opening.wrong", id=row.entry_id, field=row.field)


def _rows(tx: Tx, table: Attested, told: Told, salts: dict[str, bytes], report: Report) -> None:
    """Compute each row's digest again, and strike it off what entries vouch for."""
    for row in repo.stream_attested(tx, table):
        report.rows += 1
        values = row._asdict()
        name = _parted(table.name(values))[0]
        version, entry_id, token, given = told.rows.pop(name, (0, "", "", ""))
        if not entry_id:
            report.add("row.extra", row=name)
        elif token in salts:
            full = f"{name}#{version}" if table.version else name
            digest = table.digest(values)
            if seal(salts[token], entry_id, full, digest) != given:
                report.add("row.changed", row=name, id=entry_id)
