"""What a verification finds wrong: a code and words in two languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from keepwell.core.text import tr

FINDINGS: Final[dict[str, str]] = {
    "batch.digest-wrong": "The rows of batch {batch} do not give the digest in entry {id}.",
    "bundle.broken": "The bundle cannot be read: {file} is missing, damaged or there twice.",
    "bundle.count-wrong": "The bundle names {named} entries and holds {found}.",
    "bundle.line-broken": "{file}, line {line}: not in the form that an export writes.",
    "checkpoint.beyond": (
        "A signed checkpoint covers {size} entries, but there are {entries}: entries were cut off."
    ),
    "checkpoint.foreign": "The checkpoint over {size} entries is not one of this log.",
    "checkpoint.invalid": "The checkpoint {name} is not signed by the log's key, or was changed.",
    "checkpoint.root-wrong": (
        "The entries do not give the root that was signed over the first {size}: an entry was "
        "changed, left out, added or moved."
    ),
    "checkpoint.unbridged": (
        "Nothing here shows that the log grew out of the checkpoint over {size} entries; export "
        "again with that checkpoint."
    ),
    "client.lost": (
        "The salt of client {client} is gone, and no entry says that the client was forgotten."
    ),
    "entry.column-wrong": "Entry {index}: column {column} does not say what the entry says.",
    "entry.hash-wrong": "Entry {index} does not have the hash that was stored for it.",
    "entry.lost": "Entry {id} has no place in the log and does not wait for one.",
    "entry.missing": "The log has no entry {index}.",
    "entry.text-wrong": "Entry {index} is not an entry in its one form.",
    "entry.twice": "Entry {index} is there twice.",
    "entry.unproven": "The proof does not show that entry {index} is in the log.",
    "head.size-wrong": "The log's head counts {named} entries, there are {found}.",
    "key.different": "The log is signed by {found}, not by the key that was given.",
    "node.wrong": "A stored subtree is wrong or missing: level {level}, position {position}.",
    "opening.missing": "Entry {id}: the value of {field} that it committed to is gone.",
    "opening.wrong": "Entry {id}: the value given for {field} is not what the entry committed to.",
    "receipt.broken": "This is no receipt: {problem}.",
    "replay.different": "{row}: made again from its record, it is another one.",
    "replay.impossible": "{row} cannot be made again: {problem}",
    "row.changed": "{row} is not as entry {id} vouches for it.",
    "row.extra": "No entry vouches for {row}.",
    "row.missing": "{row}, which entry {id} vouches for, is gone.",
}
"""Code of a finding to its English template; fields in braces."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong.

    Attributes:
        code: a key of `FINDINGS`.
        fields: what its template names.
    """

    code: str
    fields: dict[str, Any] = field(default_factory=dict)

    def words(self, locale: str | None = None) -> str:
        """The finding in a language."""
        return tr(FINDINGS[self.code], locale, **self.fields)


@dataclass
class Report:
    """What a verification has seen.

    Attributes:
        verifier: public key of the log.
        entries: how many entries were checked.
        size: size of the newest checkpoint that holds.
        checkpoints: how many checkpoints were checked.
        rows: how many rows of the desk were compared with what entries say of them.
        findings: what is wrong, the first hundred.
        count: how many things are wrong.
    """

    verifier: str = ""
    entries: int = 0
    size: int = 0
    checkpoints: int = 0
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)
    count: int = 0

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return self.count == 0

    def add(self, code: str, **fields: Any) -> None:
        """Note something wrong."""
        assert code in FINDINGS, code
        self.count += 1
        if len(self.findings) < 100:
            self.findings.append(Finding(code, fields))
