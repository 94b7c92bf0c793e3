"""The frame: what one running desk knows besides its database rows."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from keepwell.frame.database import Database, Now, Tx, utc_now
from keepwell.frame.settings import Settings
from keepwell.observe.workspace import Workspace

IN_USE: ContextVar[Frame | None] = ContextVar("keepwell_frame", default=None)
"""The desk whose unit of work runs."""


@dataclass(frozen=True)
class Frame:
    """A desk that is open: its workspace, settings, database and source of time.

    Attributes:
        workspace: the folder whose clients the desk serves.
        settings: from desk.yaml and the environment.
        database: alerts, cases, users, jobs, evidence.
        now: where the time comes from.
    """

    workspace: Workspace
    settings: Settings
    database: Database
    now: Now = utc_now

    @classmethod
    def open(
        cls, workspace: Workspace | str | Path, settings: Settings | None = None, now: Now = utc_now
    ) -> Frame:
        """Open a workspace's desk; its database must be migrated already (`migrate`).

        Args:
            workspace: opened, or its folder.
            settings: default: desk.yaml and the environment.
            now: source of time, UTC.

        Raises:
            UsageError: no keepwell.yaml, or a wrong setting.
        """
        opened = workspace if isinstance(workspace, Workspace) else Workspace.open(workspace)
        chosen = settings or Settings.load(opened.root)
        url = chosen.database_url or f"sqlite:///{opened.state / 'desk.sqlite'}"
        return cls(opened, chosen, Database(url, chosen.threads + 4), now)

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's zone."""
        return self.workspace.zone

    @property
    def currency(self) -> str:
        """ISO 4217 code of all amounts (minor units)."""
        return self.workspace.currency

    @cached_property
    def secret(self) -> bytes:
        """32 bytes that only this desk knows; made when first asked for, mode 0600."""
        path = self.workspace.state / "desk.secret"
        if self.settings.secret is not None:
            return self.settings.secret.get_secret_value().encode()
        if not path.exists():
            draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.{os.getpid()}.tmp")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            # A link fails where another process was first; then its secret is the secret.
            with suppress(FileExistsError):
                path.hardlink_to(draft)
            draft.unlink()
        return path.read_bytes()

    @cached_property
    def cursor_seal(self) -> AESSIV:
        """Seals the cursors of lists."""
        return AESSIV(hmac.digest(self.secret, b"keepwell cursor", "sha512"))

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A unit of work that only reads."""
        with self._in_use(), self.database.read(self) as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A unit of work that commits at its end."""
        with self._in_use(), self.database.write(self) as tx:
            yield tx

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        before = IN_USE.get()
        IN_USE.set(self)
        try:
            yield
        finally:
            # Not by a token: a stream may end in another thread than it began in.
            IN_USE.set(before)

    def close(self) -> None:
        """Give all connections back."""
        self.database.close()
