"""One way to name content: SHA-256 over its JSON, the same for equal content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of content as JSON with sorted keys and no spaces; 64 hex digits.

    Args:
        content: JSON-safe; also as it comes back from a database.

    Raises:
        ValueError: it holds a NaN or an infinity, which JSON cannot say.

    Example:
        >>> digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
        True
    """
    text = json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()
