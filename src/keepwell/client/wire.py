"""How a request travels: one key for all its attempts, patience, errors as exceptions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx2

from keepwell.client.errors import error_of
from keepwell.client.item import Item
from keepwell.core.errors import DataError, UsageError
from keepwell.core.version import __version__

PREFIX = "/api/v1"
AGAIN = frozenset({429, 502, 503, 504})
WAIT_MOST = 30.0


class Wire:
    """Sends requests to one desk.

    Args:
        url: of the server, such as https://desk.example.com.
        token: API token; None when the transport knows who calls.
        locale: language of messages, 'en' or 'zh'; default: the user's.
        timeout: seconds for one attempt.
        retries: attempts after the first when the desk does not answer or is busy.
        transport: how requests travel; default: HTTP.
        sleep: how to wait.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        locale: str | None = None,
        timeout: float = 30.0,
        retries: int = 4,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError("client.url-invalid", url=url)
        headers = {"User-Agent": f"keepwell-client/{__version__}"}
        if token:
            if not token.isascii() or not token.isprintable():
                raise UsageError("client.token-invalid")
            headers["Authorization"] = f"Bearer {token}"
        if locale:
            headers["Accept-Language"] = locale
        self._url = url.rstrip("/")
        self._retries = retries
        self._sleep = sleep
        self._client = httpx2.Client(
            base_url=self._url + PREFIX, headers=headers, timeout=timeout, transport=transport
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def get(self, path: str, **params: Any) -> Item:
        """One object."""
        answer = self.send("GET", path, params=params)
        return Item(self._json(answer), answer.headers.get("etag"))

    def text(self, path: str, **params: Any) -> str:
        """An answer as text, such as CSV."""
        return self.send("GET", path, params=params).text

    def listed(self, path: str, **params: Any) -> list[Item]:
        """A list that has no pages."""
        return [Item(row) for row in self._json(self.send("GET", path, params=params), list)]

    def pages(self, path: str, limit: int | None = None, **params: Any) -> Iterator[Item]:
        """The rows of a list, page after page.

        Args:
            path: of the list.
            limit: at most so many rows; default: all.
            **params: filters.
        """
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = min(200, left) if left is not None else 200
            page = self.get(path, **params, limit=size, cursor=cursor)
            items: list[Item] = page["items"]
            yield from items
            cursor = page["next"]
            left = None if left is None else left - len(items)
            if cursor is None:
                return

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, etag: str | None = None
    ) -> Item:
        """A verb; repeating it after a lost answer has no second effect."""
        return self.change("POST", path, body, etag=etag)

    def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        etag: str | None = None,
    ) -> Item:
        """A change.

        Args:
            method: POST, PUT, PATCH or DELETE.
            path: of what is changed.
            body: JSON.
            etag: version that is changed.
        """
        headers = {"Idempotency-Key": uuid4().hex}
        if etag is not None:
            headers["If-Match"] = etag
        answer = self.send(method, path, json=body, headers=headers)
        given = self._json(answer) if answer.content else {}
        return Item(given, answer.headers.get("etag"))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send one request, again when nobody answers or the desk is busy.

        Raises:
            DeskError: the desk refused it or failed.
            DataError: nobody answers.
        """
        chosen = {k: v for k, v in (params or {}).items() if v is not None}
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                answer = self._client.request(
                    method, path, params=chosen, json=json, headers=dict(headers or {})
                )
            except httpx2.TransportError as error:
                if last or isinstance(error, httpx2.UnsupportedProtocol):
                    why = str(error) or type(error).__name__
                    raise DataError("client.desk-unreachable", url=self._url, why=why) from None
                self._wait(attempt, None)
                continue
            if answer.status_code not in AGAIN or last:
                return self._checked(answer)
            self._wait(attempt, answer.headers.get("retry-after"))
        raise AssertionError("unreachable")

    def _wait(self, attempt: int, asked: str | None) -> None:
        pause = 0.2 * 2**attempt * random.uniform(0.8, 1.2)  # noqa: S311
        if asked and asked.isdigit():
            pause = float(asked)
        self._sleep(min(pause, WAIT_MOST))

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success:
            return answer
        try:
            body = answer.json()
        except ValueError:
            body = None
        raise error_of(answer.status_code, body, answer.headers.get("x-request-id", ""))

    def _json(self, answer: httpx2.Response, kind: type = dict) -> Any:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, kind):
            raise DataError("client.answer-unreadable", url=self._url)
        return body
