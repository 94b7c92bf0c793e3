"""Evidence: an append-only Merkle log of every effect, provable offline, without personal data."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keepwell.frame.context import Frame


def token(frame: Frame, client_id: str) -> str:
    """The name under which logs and traces speak of a client; not that of evidence entries.

    Args:
        frame: whose secret keys it.
        client_id: the client.
    """
    digest = hmac.new(frame.secret, b"keepwell log\n" + client_id.encode(), hashlib.sha256)
    return f"client~{digest.hexdigest()[:16]}"
