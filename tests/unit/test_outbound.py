"""What clients name is posted to only when everybody could reach it, and reading a URL asks nobody."""

import socket

import pytest

from pulse_core.events.outbound_rules import NOT_PUBLIC, Policy, Unreachable, is_public, target_of

STRICT = Policy(allow_http=False, allow_private=False)
PRIVATE_6 = [
    "::1", "::", "fe80::1", "fec0::1", "feff::1", "fc00::1", "fd00::1", "ff02::1", "::7f00:1", "::808:808",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.216.34", "::ffff:0:127.0.0.1", "::ffff:0:93.184.216.34",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a83f:8110", "64:ff9b:1::808:808",
    "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "100::1",
]  # fmt: skip
PRIVATE_4 = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.0.0.1.", "0.0.0.0", "10.1.2.3",
    "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "224.0.0.1", "255.255.255.255",
    "240.0.0.1", "168.63.129.16", "192.0.0.192", "192.0.0.9", "192.88.99.1", "198.18.0.1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("host", [*PRIVATE_4, *(f"[{one}]" for one in PRIVATE_6), "localhost", "postgres"])
def test_hosts_that_only_this_network_reaches_are_refused(host: str) -> None:
    with pytest.raises(Unreachable, match=NOT_PUBLIC):
        target_of(f"https://{host}/events", STRICT)


@pytest.mark.parametrize("address", [*PRIVATE_6, "fe80::1%eth0", "2606:2800:220:1::1%eth0", "no address"])
def test_what_a_name_may_not_lead_to_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_what_everybody_reaches_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/", "ftp://93.184.216.34/", "https://", "https:///path", "https://u:p@93.184.216.34/",
        "https://u@93.184.216.34/", "https://93.184.216.34/#x", "https://93.184.216.34:99999/",
        "https://93.184.216.34/ x", "https://93.184.216.34/\r\nX: y", "93.184.216.34",
        f"https://93.184.216.34/{'x' * 500}", "https://[::1", "https://1.2.3.4.5/", "https://a..b/", "https://a_%2f/",
        f"https://{'a' * 64}.example.com/", "https://example.com:80/", "https://example.com:0/",
        "https://example.com:22/", "https://example.com:9200/", "https://93.184.216.34:444/",
    ],
)  # fmt: skip
def test_what_is_no_https_url_of_a_host_at_an_allowed_port_is_refused(url: str) -> None:
    with pytest.raises(Unreachable):
        target_of(url, STRICT)


@pytest.mark.parametrize(
    "host", ["93.184.216.34", "93.184.216.34:8443", "[2606:2800:220:1::1]", "example.com", "hooks.example.com.:443"]
)
def test_public_hosts_may_be_posted_to(host: str) -> None:
    assert target_of(f"https://{host}/events?key=1", STRICT).path == "/events?key=1"


def test_what_is_allowed_is_allowed() -> None:
    assert target_of("http://127.0.0.1:8080/events", Policy(allow_http=True, allow_private=True)).port == 8080
    assert target_of("http://93.184.216.34/", Policy(allow_http=True, allow_private=False)).port == 80
    assert target_of("https://example.com:9443/", Policy(False, False, ports={9443})).port == 9443
    with pytest.raises(Unreachable, match="port"):
        target_of("https://example.com/", Policy(False, False, ports={9443}))
