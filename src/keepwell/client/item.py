"""What the API answers: JSON objects that can be read like attributes and know their version."""

from __future__ import annotations

from typing import Any


class Item(dict[str, Any]):
    """A JSON object of the API.

    Keys read as attributes too; nested objects and lists of them are items. `etag` is what a
    change of the object sends as If-Match.

    Args:
        given: the object.
        etag: of the answer's header, if it had one.

    Example:
        >>> case = Item({"case_id": "case_1", "version": 3, "clocks": [{"kind": "plan"}]})
        >>> case.case_id, case.clocks[0].kind, case.etag
        ('case_1', 'plan', '"3"')
    """

    def __init__(self, given: dict[str, Any], etag: str | None = None) -> None:
        super().__init__({key: _wrap(value) for key, value in given.items()})
        self._etag = etag

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the desk gave no {name!r}; it gave {', '.join(self)}") from None

    @property
    def etag(self) -> str | None:
        """The version for If-Match; None for what has no version."""
        if self._etag is not None:
            return self._etag
        version = self.get("version")
        return f'"{version}"' if isinstance(version, int) else None


def _wrap(value: Any) -> Any:
    if isinstance(value, dict):
        return Item(value)
    return [_wrap(v) for v in value] if isinstance(value, list) else value
