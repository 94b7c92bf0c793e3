from __future__ import annotations

import ipaddress

import pytest
from httpcore2 import ConnectError
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core.errors import KeepwellError
from keepwell.frame.settings import WebhookSettings
from keepwell.intervene.webhook import guard
from keepwell.intervene.webhook.guard import (
    AddressRefused,
    GuardedBackend,
    check_url,
    is_public,
    resolve,
)
from keepwell.intervene.webhook.policy import Fault
from keepwell.intervene.webhook.send import Parcel, send
from tests.desk import START

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "0.0.0.0", "255.255.255.255",
    "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
    "192.0.0.192", "192.88.99.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "::127.0.0.1", "nonsense", "",
]  # fmt: skip
PUBLIC = ["93.184.215.14", "8.8.8.8", "223.5.5.5", "2606:4700:4700::1111", "2400:3200::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_webhook_goes_inside(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_webhooks_go_to_the_public_internet(address):
    assert is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_ipv4_in_the_dress_of_ipv6_never_passes(number):
    v4 = ipaddress.IPv4Address(number)
    assert not is_public(f"::ffff:{v4}")
    assert not is_public(str(ipaddress.IPv6Address((0x64FF9B << 96) + number)))
    if v4.is_private:
        assert not is_public(str(v4))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/x", "webhook.scheme-refused"),
        ("file:///etc/passwd", "webhook.url-invalid"),
        ("gopher://example.com/", "webhook.scheme-refused"),
        ("https://", "webhook.url-invalid"),
        ("https://user:pw@example.com/", "webhook.url-invalid"),
        ("https://example.com/#x", "webhook.url-invalid"),
        ("https://example.com:0/", "webhook.url-invalid"),
        ("https://example.com:99999/", "webhook.url-invalid"),
        ("https://exa mple.com/", "webhook.url-invalid"),
        ("https://example.com\\@127.0.0.1/", "webhook.url-invalid"),
        ("https://例子.com/", "webhook.url-invalid"),
        ("https://[::1", "webhook.url-invalid"),
        ("https://localhost/", "webhook.address-refused"),
        ("https://desk.localhost./", "webhook.address-refused"),
        ("https://printer.local/", "webhook.address-refused"),
        ("https://metadata.google.internal/", "webhook.address-refused"),
        ("https://127.0.0.1/", "webhook.address-refused"),
        ("https://2130706433/", "webhook.address-refused"),
        ("https://0x7f.1/", "webhook.address-refused"),
        ("https://0177.0.0.1/", "webhook.address-refused"),
        ("https://[::1]:8443/", "webhook.address-refused"),
        ("https://[::ffff:10.0.0.1]/", "webhook.address-refused"),
        ("https://169.254.169.254/latest/meta-data", "webhook.address-refused"),
    ],
)
def test_an_address_that_looks_wrong_is_refused_at_once(url, code):
    with pytest.raises(KeepwellError) as caught:
        check_url(url, allow_private=False)
    assert caught.value.code == code


@pytest.mark.parametrize("url", ["https://crm.example.com/a?b=c", "https://8.8.8.8:8443/"])
def test_a_public_address_is_taken(url):
    assert check_url(url, allow_private=False) == url


def test_twins_may_go_inside_when_the_settings_say_so():
    assert check_url("http://127.0.0.1:80/", allow_private=True)


class Dialled(Exception):
    pass


def _backend(monkeypatch, addresses, **options):
    """A guard whose look-up and whose dialling are the test's."""
    backend = GuardedBackend(5, resolver=lambda *_: list(addresses), **options)
    dialled = []

    def connect(address, *_):
        dialled.append(address)
        raise Dialled

    monkeypatch.setattr(backend._plain, "connect_tcp", connect)
    return backend, dialled


@pytest.mark.parametrize("private", ["127.0.0.1", "::ffff:10.0.0.1", "169.254.169.254"])
def test_one_private_address_among_public_ones_is_enough(monkeypatch, private):
    backend, dialled = _backend(monkeypatch, ["93.184.215.14", private])
    with pytest.raises(AddressRefused):
        backend.connect_tcp("rebound.example.com", 443)
    assert dialled == []


def test_the_socket_goes_to_the_address_that_was_checked(monkeypatch):
    backend, dialled = _backend(monkeypatch, ["93.184.215.14"])
    with pytest.raises(Dialled):
        backend.connect_tcp("crm.example.com", 443)
    assert dialled == ["93.184.215.14"]


def test_a_second_look_up_has_no_say(monkeypatch):
    """A name that answers with a public address once and a private one later (DNS rebinding)."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    asked, dialled = [], []

    class Dialler:
        def connect_tcp(self, address, *_):
            dialled.append(address)
            raise ConnectError(address)

    monkeypatch.setattr(guard, "SyncBackend", Dialler)

    def resolver(host, port):
        asked.append((host, port))
        return next(answers)

    parcel = Parcel("https://rebound.example.com/", "msg_1", "{}", ["whsec_" + "A" * 43 + "="])
    assert send(parcel, START, WebhookSettings(), resolver).fault is Fault.CONNECTION
    assert asked == [("rebound.example.com", 443)]
    assert dialled == ["93.184.215.14"]
    assert send(parcel, START, WebhookSettings(), resolver).fault is Fault.ADDRESS
    assert dialled == ["93.184.215.14"]


def test_a_host_without_address_is_unknown():
    parcel = Parcel("https://x.invalid/", "msg_1", "{}", ["whsec_" + "A" * 43 + "="])
    assert send(parcel, START, WebhookSettings(), lambda *_: []).fault is Fault.UNKNOWN_HOST
    with pytest.raises(Exception, match=r"a{64}"):
        resolve("a" * 64 + ".com", 443)


def test_the_operating_system_is_asked_for_loopback():
    assert "127.0.0.1" in resolve("127.0.0.1", 80)
