"""Signed notes and checkpoints as C2SP defines them (signed-note, tlog-checkpoint), Ed25519.

A checkpoint is a short text: the log's name, its size, its root, an empty line, a signature. Any
tool that knows the format can check it, without keepwell.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

_ED25519 = b"\x01"
_DASH = "\u2014"
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(ValueError):
    """A text that is no such note, or whose signature does not fit."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public key of a log.

    Attributes:
        name: the log's name, its origin.
        public: 32 bytes of Ed25519.
    """

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        coded = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{coded}"

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Read `name+id+key`.

        Raises:
            NoteError: it is not such a key.
        """
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or not _NAME.fullmatch(parts[0]):
            raise NoteError("not a verifier key: name+id+key is expected")
        coded = _decode(parts[2])
        if len(coded) != 33 or coded[:1] != _ED25519:
            raise NoteError("not a verifier key: 32 bytes of Ed25519 are expected")
        found = cls(parts[0], coded[1:])
        if found.key_id.hex() != parts[1]:
            raise NoteError("not a verifier key: its id does not fit it")
        return found


@dataclass(frozen=True, slots=True)
class Signer:
    """The private key of a log.

    Attributes:
        name: the log's name.
        seed: 32 bytes of Ed25519.
    """

    name: str
    seed: bytes

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return Verifier(self.name, private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The signed note of a text that ends with a newline."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        coded = base64.b64encode(self.verifier.key_id + private.sign(text.encode())).decode()
        return f"{text}\n{_DASH} {self.name} {coded}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint states.

    Attributes:
        origin: the log's name.
        size: number of entries.
        root: hash over all of them.
    """

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def origin_of(name: str) -> str:
    """A name as an origin may be: without spaces and plus signs.

    Example:
        >>> origin_of("keepwell/Test broker")
        'keepwell/Test-broker'
    """
    return re.sub(r"[\s+\x00-\x1f]+", "-", name.strip())[:100] or "keepwell"


def open_checkpoint(note: str, verifier: Verifier) -> Checkpoint:
    """Check a checkpoint's signature and read it.

    Args:
        note: the signed note; signatures of other keys, such as witnesses, are left aside.
        verifier: whose signature must be there.

    Raises:
        NoteError: not a checkpoint, or not signed by this key.
    """
    text, signatures = _parts(note)
    checkpoint = _read(text)
    if checkpoint.origin != verifier.name:
        raise NoteError("the checkpoint is of another log")
    public = Ed25519PublicKey.from_public_bytes(verifier.public)
    signed = False
    for name, coded in signatures:
        if name != verifier.name or coded[:4] != verifier.key_id:
            continue
        try:
            public.verify(coded[4:], text.encode())
        except InvalidSignature:
            raise NoteError("the checkpoint's signature does not fit it") from None
        signed = True
    if not signed:
        raise NoteError("the checkpoint is not signed by this key")
    return checkpoint


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n") or len(note) > 20_000:
        raise NoteError("not a signed note")
    signatures = []
    for line in tail[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != _DASH or not _NAME.fullmatch(parts[1]):
            raise NoteError("not a signed note: a signature line is malformed")
        coded = _decode(parts[2])
        if len(coded) < 5:
            raise NoteError("not a signed note: a signature is too short")
        signatures.append((parts[1], coded))
    return text + "\n", signatures


def _read(text: str) -> Checkpoint:
    lines = text.split("\n")
    # Further lines are extensions; the format says to let them be. The last is the text's end.
    if len(lines) < 4 or "" in lines[:-1] or not _SIZE.fullmatch(lines[1]):
        raise NoteError("not a checkpoint")
    root = _decode(lines[2])
    if len(root) != 32:
        raise NoteError("not a checkpoint: the root has 32 bytes")
    return Checkpoint(lines[0], int(lines[1]), root)


def _decode(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("not base64") from None
    if base64.b64encode(found).decode() != text:
        raise NoteError("not base64 in its one form")
    return found
