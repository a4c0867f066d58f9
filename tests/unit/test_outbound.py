"""What clients name is posted to only when everybody could reach it."""

import pytest

from pulse_core.events.outbound import Policy, Unreachable, check_url

STRICT = Policy(allow_http=False, allow_private=False)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "localhost",
    ],
)  # fmt: skip
def test_hosts_that_only_this_network_reaches_are_refused(host: str) -> None:
    with pytest.raises(Unreachable, match=r"the host is not (public|known)"):
        check_url(f"https://{host}/events", STRICT)


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/", "ftp://93.184.216.34/", "https://", "https:///path", "https://u:p@93.184.216.34/",
        "https://u@93.184.216.34/", "https://93.184.216.34/#x", "https://93.184.216.34:99999/",
        "https://93.184.216.34/ x",
        "https://93.184.216.34/\r\nX: y", "93.184.216.34", f"https://93.184.216.34/{'x' * 500}", "https://[::1",
    ],
)  # fmt: skip
def test_what_is_no_https_url_of_a_host_is_refused(url: str) -> None:
    with pytest.raises(Unreachable):
        check_url(url, STRICT)


@pytest.mark.parametrize("host", ["93.184.216.34", "93.184.216.34:8443", "[2606:2800:220:1::1]"])
def test_public_hosts_may_be_posted_to(host: str) -> None:
    check_url(f"https://{host}/events?key=1", STRICT)


def test_what_is_allowed_is_allowed() -> None:
    check_url("http://127.0.0.1:8080/events", Policy(allow_http=True, allow_private=True))
