"""Column values as text, held against what the standard library's other ways of writing them say."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcap import DISPOSITIONS, VERDICTS, text


def packed(*addresses: str) -> np.ndarray:
    octets = b"".join(
        bytes(10) + b"\xff\xff" + one.packed if isinstance(one, IPv4Address) else one.packed
        for one in map(ip_address, addresses)
    )
    return np.frombuffer(octets, np.uint8).reshape(-1, 16)


def test_ipv4_is_written_with_dots_and_ipv6_shortened():
    assert text.addresses(packed("10.0.0.0", "255.255.255.255", "0.0.0.0", "2001:db8::1", "::", "::1")) == [
        "10.0.0.0",
        "255.255.255.255",
        "0.0.0.0",
        "2001:db8::1",
        "::",
        "::1",
    ]


def test_trailing_zero_octets_of_an_address_are_kept():
    assert text.addresses(packed("2001:db8::", "10.1.0.0")) == ["2001:db8::", "10.1.0.0"]


@given(st.lists(st.ip_addresses(), max_size=40))
def test_any_address_reads_back_as_itself(addresses):
    written = text.addresses(packed(*map(str, addresses)))
    assert [value(one) for one in map(ip_address, written)] == list(map(value, addresses))


def value(address: IPv4Address | IPv6Address) -> int:
    """A mapped address and the IPv4 address it maps are one."""
    mapped = getattr(address, "ipv4_mapped", None)
    return int(IPv6Address(f"::ffff:{mapped or address}") if mapped or address.version == 4 else address)


def test_a_mac_address_is_six_pairs_of_digits():
    assert text.macs(np.array([[0, 1, 2, 0xAB, 0xCD, 0xEF], [0xFF] * 6], np.uint8)) == [
        "00:01:02:ab:cd:ef",
        "ff:ff:ff:ff:ff:ff",
    ]


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
        (4_294_967_295 * 10**9, "2106-02-07T06:28:15.000000000Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
        (-(2**63), "1677-09-21T00:12:43.145224192Z"),
    ],
)
def test_every_time_has_nine_digits_and_a_zone(ns, expected):
    assert text.times(np.array([ns], np.int64)) == [expected]
    assert text.time(ns) == expected


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_any_time_reads_back_as_itself(times):
    def read(written: str) -> int:
        whole, _, fraction = written.removesuffix("Z").partition(".")
        return (datetime.fromisoformat(whole + "+00:00") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            seconds=1
        ) * 10**9 + int(fraction)

    assert list(map(read, text.times(np.array(times, np.int64)))) == times


def test_codes_are_written_as_their_names():
    assert text.cells("verdict", np.arange(9, dtype=np.uint8)) == list(VERDICTS)
    assert text.cells("ip_verdict", np.array([2, 1], np.uint8)) == ["bad", "good"]
    assert text.cells("disposition", np.arange(8, dtype=np.uint8)) == list(DISPOSITIONS)


def test_numbers_stay_raw():
    largest = np.array([2**64 - 1, 0], np.uint64)
    assert text.cells("bytes", largest) == ["18446744073709551615", "0"]
    assert text.cells("tcp_flags", np.array([0x12], np.uint8)) == ["18"]
    assert text.cells("protocol", np.array([17], np.uint8)) == ["17"]
    assert text.is_number("bytes", largest)
    assert not text.is_number("verdict", np.zeros(1, np.uint8))


def test_an_empty_column_has_no_texts():
    assert text.addresses(np.empty((0, 16), np.uint8)) == []
    assert text.times(np.empty(0, np.int64)) == []
    assert text.cells("packets", np.empty(0, np.uint64)) == []
