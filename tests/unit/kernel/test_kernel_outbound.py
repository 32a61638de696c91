"""Which addresses may be asked: pure, over every kind that leads into a private network."""

import pytest

from ciranda.kernel import outbound
from ciranda.kernel.outbound import Reach


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_denied_unless_it_is_allowed(address: str) -> None:
    assert not outbound.permitted("data.example.org", address, Reach())
    assert outbound.permitted("data.example.org", address, Reach(everywhere=True))
    assert outbound.permitted("data.example.org", address, Reach(allowed=("DATA.example.org",)))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_what_is_public_is_not(address: str) -> None:
    assert outbound.permitted("one.one.one.one", address, Reach())


def test_a_network_allows_what_lies_in_it_alone() -> None:
    reach = Reach(allowed=("10.0.0.0/8", "fd00::/8", "127.0.0.1"))
    assert outbound.permitted("a", "10.9.9.9", reach)
    assert outbound.permitted("a", "fd12::1", reach)
    assert outbound.permitted("a", "127.0.0.1", reach)
    assert not outbound.permitted("a", "127.0.0.2", reach)
    assert not outbound.permitted("a", "192.168.0.1", reach)
