"""Idempotency keys: a write that is sent twice has one effect and one answer."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from fastapi import Request, Response
from sqlalchemy.exc import IntegrityError

from keepwell.frame.database import Tx
from keepwell.frame.problem import Conflict
from keepwell.trust.access import repo
from keepwell.trust.access.model import IdempotencyKey
from keepwell.trust.access.policy import Actor

KEY_KEPT = timedelta(hours=24)
_KEPT_HEADERS = ("content-type", "etag", "location")
_SECRET = 0


class KeyTaken(Exception):
    """Another request with the same key was first."""

    def __init__(self, once: Once) -> None:
        super().__init__(once.key)
        self.once = once


class Once:
    """One request with an Idempotency-Key.

    The key is claimed before the effect: on PostgreSQL a second request at the same time waits at
    the unique key until the first has committed, and then takes its answer.

    Args:
        request: the request.
        body: what counts of its body.
        actor: who sends it; keys of different users are different keys.
        key: the header's value.
    """

    def __init__(self, request: Request, body: bytes, actor: Actor, key: str) -> None:
        what = f"{request.method} {request.url.path}?{request.url.query}\n"
        condition = request.headers.get("if-match", "")
        self.fingerprint = hashlib.sha256(f"{what}{condition}\n".encode() + body).digest()
        self.user_id = actor.user_id
        self.key = key
        self._row: IdempotencyKey | None = None

    def begin(self, tx: Tx) -> Response | None:
        """The answer given before, or None: then the key is claimed.

        Raises:
            KeyTaken: another request claims it at the same time.
            Conflict: it was used for another request, or its answer held a secret.
        """
        # Asked once: between two looks another request may have committed, whose key must stay.
        old = repo.key_of(tx, self.user_id, self.key)
        if old is not None:
            if self._counts(old, tx):
                return self._again(old)
            tx.session.delete(old)
            tx.session.flush()
        self._row = IdempotencyKey(
            user_id=self.user_id, key=self.key, fingerprint=self.fingerprint, status=_SECRET,
            headers={}, body="", created_at=tx.at,
        )  # fmt: skip
        tx.session.add(self._row)
        try:
            tx.session.flush()
        except IntegrityError:
            raise KeyTaken(self) from None
        return None

    def known(self, tx: Tx) -> Response | None:
        """The answer given before, if it still counts.

        Raises:
            Conflict: the key was used for another request, or its answer held a secret.
        """
        row = repo.key_of(tx, self.user_id, self.key)
        return self._again(row) if row is not None and self._counts(row, tx) else None

    @staticmethod
    def _counts(row: IdempotencyKey, tx: Tx) -> bool:
        return row.created_at >= tx.at - KEY_KEPT

    def end(self, tx: Tx, response: Response, secret: bool) -> None:
        """Keep the answer in the same transaction as the effect."""
        assert self._row is not None
        if secret:
            return
        self._row.status = response.status_code
        self._row.headers = {n: v for n, v in response.headers.items() if n in _KEPT_HEADERS}
        self._row.body = bytes(response.body).decode()
        tx.session.flush()

    def answer(self, tx: Tx) -> Response:
        """The answer of the request that was first.

        Raises:
            Conflict: it is gone, or was to something else.
        """
        known = repo.key_of(tx, self.user_id, self.key)
        if known is None:
            raise Conflict("request.state-conflict")
        return self._again(known)

    def _again(self, known: IdempotencyKey) -> Response:
        if known.fingerprint != self.fingerprint:
            raise Conflict("request.key-conflict", key=self.key)
        if known.status == _SECRET:
            raise Conflict("request.answer-secret")
        headers = {str(k): str(v) for k, v in known.headers.items()}
        return Response(known.body, known.status, {**headers, "Idempotency-Replayed": "true"})
