"""Which addresses a webhook may go to, and a connection to the very address that was checked.

A webhook makes this server send requests where somebody else says. Without a guard that reaches
metadata services and machines inside the house. The host is resolved here, every address is
checked, and the socket is opened to the checked address: a second look-up that gives another
answer (DNS rebinding) has no chance. TLS and the Host header still carry the name.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from httpcore2 import ConnectError, ConnectTimeout, NetworkBackend, NetworkStream, SyncBackend

from keepwell.frame.problem import Unprocessable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], list[str]]

_REFUSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # metadata of Azure, a public number
        "100.64.0.0/10",  # carrier NAT, with the metadata of Alibaba Cloud at 100.100.100.200
        "192.0.0.0/24",  # protocol assignments, with the metadata of Oracle at 192.0.0.192
        "192.88.99.0/24",  # 6to4 relays
        "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16",
    )
)  # fmt: skip
"""Refused besides what is not global; the last line are IPv4 addresses in the dress of IPv6."""


class AddressRefused(Exception):
    """The host leads to an address where no webhook may go."""


class HostUnknown(Exception):
    """The host has no address."""


def is_public(text: str) -> bool:
    """Whether an address is in the public internet.

    Example:
        >>> is_public("93.184.215.14"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
        (True, False, False)
    """
    try:
        address: Address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _REFUSED)


def check_url(url: str, allow_private: bool) -> str:
    """The URL of an endpoint, if it is acceptable by its looks; it is resolved only when used.

    Args:
        url: as given.
        allow_private: also http, and private addresses.

    Raises:
        Unprocessable: not https, no host, credentials inside, or a private address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unprocessable("webhook.url-invalid") from None
    schemes = ("https", "http") if allow_private else ("https",)
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not plain or not host or port == 0 or parts.fragment or "@" in parts.netloc:
        raise Unprocessable("webhook.url-invalid")
    if parts.scheme not in schemes:
        raise Unprocessable("webhook.scheme-refused", scheme=parts.scheme or "–")
    if not allow_private and _looks_private(host):
        raise Unprocessable("webhook.address-refused", host=host)
    return url


def _looks_private(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        # inet_aton also reads 2130706433, 0x7f.1 and 0177.1, as the resolver would.
        text = host if ":" in host else socket.inet_ntoa(socket.inet_aton(name))
    except OSError:
        return False
    return not is_public(text)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the operating system knows them.

    Raises:
        HostUnknown: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostUnknown(host) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(NetworkBackend):
    """Opens connections only to addresses it has checked, all within one deadline.

    Args:
        seconds: for everything: connecting, sending, and reading the answer.
        allow_private: do not check; for tests and twins.
        resolver: host and port to addresses.
    """

    def __init__(
        self, seconds: float, allow_private: bool = False, resolver: Resolver = resolve
    ) -> None:
        self._deadline = time.monotonic() + seconds
        self._allow_private = allow_private
        self._resolver = resolver
        self._plain = SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        """Resolve, check all addresses, connect to the first that answers."""
        addresses = self._resolver(host, port)
        if not addresses:
            raise HostUnknown(host)
        if not self._allow_private and not all(is_public(a) for a in addresses):
            raise AddressRefused(host)
        error: Exception = ConnectError(host)
        for address in addresses[:3]:
            left = _left(self._deadline, timeout)
            try:
                stream = self._plain.connect_tcp(address, port, left, local_address, socket_options)
            except (ConnectError, ConnectTimeout) as failed:
                error = failed
            else:
                return _DeadlineStream(stream, self._deadline)
        raise error


class _DeadlineStream(NetworkStream):
    """A stream that ends at a deadline, however slowly the other side drips."""

    def __init__(self, stream: NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        left = _left(self._deadline, timeout)
        secured = self._stream.start_tls(ssl_context, server_hostname, left)
        return _DeadlineStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise ConnectTimeout("deadline")
    return left if timeout is None else min(left, timeout)
