"""The key that signs the log: one file, made once, readable by its owner only."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from contextlib import suppress
from pathlib import Path

from keepwell.core.errors import DataError
from keepwell.frame.context import Frame
from keepwell.trust.evidence.note import Signer, Verifier, origin_of

FILE_NAME = "evidence.key"
_HEAD = "PRIVATE+KEY"


def key_path(frame: Frame) -> Path:
    """Where the key is: in the workspace's state."""
    return frame.workspace.state / FILE_NAME


def load_signer(frame: Frame, verifier: str | None = None) -> Signer:
    """The signing key; made when the log has none yet.

    Args:
        frame: the desk.
        verifier: public key under which the log began; None for a log that begins now.

    Raises:
        DataError: the file is missing, broken, or holds another key than the log began with.
    """
    path = key_path(frame)
    if verifier is None and not path.exists():
        name = frame.settings.evidence.origin or f"keepwell/{frame.workspace.mapping.name}"
        _make(path, Signer(origin_of(name), secrets.token_bytes(32)))
    if not path.exists():
        raise DataError("evidence.key-missing", path=path, verifier=verifier)
    signer = _read(path)
    if verifier is not None and str(signer.verifier) != verifier:
        raise DataError("evidence.key-foreign", path=path, verifier=verifier)
    return signer


def read_verifier(text: str) -> Verifier:
    """A public key that somebody gave.

    Raises:
        DataError: it is none.
    """
    try:
        return Verifier.parse(text)
    except ValueError:
        raise DataError("evidence.verifier-invalid", text=text.strip()[:80]) from None


def _make(path: Path, signer: Signer) -> None:
    coded = base64.b64encode(b"\x01" + signer.seed).decode()
    line = f"{_HEAD}+{signer.name}+{signer.verifier.key_id.hex()}+{coded}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())
    # A link fails where another process was first; then its key is the key.
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


def _read(path: Path) -> Signer:
    parts = path.read_text("utf-8").strip().split("+", 4)
    try:
        if len(parts) != 5 or "+".join(parts[:2]) != _HEAD:
            raise ValueError
        coded = base64.b64decode(parts[4], validate=True)
        if len(coded) != 33 or coded[:1] != b"\x01":
            raise ValueError
        signer = Signer(parts[2], coded[1:])
        if signer.verifier.key_id.hex() != parts[3]:
            raise ValueError
    except (ValueError, binascii.Error):
        raise DataError("evidence.key-broken", path=path) from None
    return signer
