"""Column values as text agree with the standard library."""

import json
import math
import socket
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcap import DISPOSITIONS, NO_TIME, VERDICTS
from fluxcap._core import TextRows, dictionary
from fluxcap.values import text


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


def test_every_pattern_of_zeros_in_an_address_is_written_as_inet_ntop_writes_it():
    groups = np.array(list(product((0, 0x1F, 0x2BC, 0xFFFF), repeat=8)), ">u2")
    groups = groups[~((groups[:, :5] == 0).all(axis=1) & (groups[:, 5] == 0xFFFF))]  # IPv4 addresses mapped to IPv6
    octets = groups.view(np.uint8)
    assert text.addresses(octets) == [socket.inet_ntop(socket.AF_INET6, row.tobytes()) for row in octets]


def value(address: IPv4Address | IPv6Address) -> int:
    """An IPv4-mapped address is the IPv4 address."""
    mapped = getattr(address, "ipv4_mapped", None)
    return int(IPv6Address(f"::ffff:{mapped or address}") if mapped or address.version == 4 else address)


def test_letters_are_written_up_to_the_first_zero():
    letters = np.array([b"ShADadFf", b"", b"x" * 31], "S31")
    assert text.cells("history", letters) == ["ShADadFf", "", "x" * 31]
    assert text.cells("history", letters[::2]) == ["ShADadFf", "x" * 31]


@pytest.mark.parametrize("values", [np.array(["x"]), np.zeros((2, 8), np.uint8), np.zeros(2, np.uint64)])
def test_what_is_no_letters_is_not_written_as_such(values):
    with pytest.raises(TypeError, match="no such text"):
        text.cells("history", values)


def test_a_mac_address_is_six_pairs_of_digits():
    assert text.cells("src_mac", np.array([[0, 1, 2, 0xAB, 0xCD, 0xEF], [0xFF] * 6], np.uint8)) == [
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
        (-(2**63) + 1, "1677-09-21T00:12:43.145224193Z"),
    ],
)
def test_every_time_has_nine_digits_and_a_zone(ns, expected):
    assert text.times(np.array([ns], np.int64)) == [expected]
    assert text.time(ns) == expected


def test_what_is_no_time_is_blank_and_in_json_null():
    times = np.array([1, NO_TIME, NO_TIME, -1], np.int64)
    assert text.times(times) == ["1970-01-01T00:00:00.000000001Z", "", "", "1969-12-31T23:59:59.999999999Z"]
    assert text.time(NO_TIME) == ""
    written = b"".join(text.rows({"time": times}, (b"", b","), str, "json time"))
    assert json.loads(f"[{written.decode()}0]") == [time or None for time in text.times(times)] + [0]


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), max_size=40))
def test_any_time_reads_back_as_itself(times):
    def read(written: str) -> int:
        whole, _, fraction = written.removesuffix("Z").partition(".")
        return (datetime.fromisoformat(whole + "+00:00") - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            seconds=1
        ) * 10**9 + int(fraction)

    assert list(map(read, text.times(np.array(times, np.int64)))) == times


def test_every_day_that_a_time_can_fall_on_has_its_date():
    seconds = np.arange(-(2**63) // 10**9 + 1, 2**63 // 10**9, 86_400)
    dates = [written[:10] for written in text.times(seconds * 10**9)]
    assert dates == np.datetime_as_string(seconds.astype("M8[s]"), "D").tolist()


def test_codes_are_written_as_their_names():
    assert text.cells("verdict", np.arange(9, dtype=np.uint8)) == list(VERDICTS)
    assert text.cells("ip_verdict", np.array([2, 1], np.uint8)) == ["bad", "good"]
    assert text.cells("disposition", np.arange(len(DISPOSITIONS), dtype=np.uint8)) == list(DISPOSITIONS)


def test_a_code_without_a_name_is_written_as_its_number():
    assert text.cells("verdict", np.array([1, len(VERDICTS), 255], np.uint8)) == ["good", str(len(VERDICTS)), "255"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.int64])
def test_an_integer_of_any_length_is_written_as_python_writes_it(dtype):
    limits = np.iinfo(dtype)
    powers = {sign * 10**digits + more for sign in (-1, 1) for digits in range(20) for more in (-1, 0, 1)}
    numbers = sorted(n for n in {0, limits.min, limits.max, *powers} if limits.min <= n <= limits.max)
    assert text.integers(np.array(numbers, dtype)) == list(map(str, numbers))


def test_numbers_stay_raw():
    largest = np.array([2**64 - 1, 0], np.uint64)
    assert text.cells("bytes", largest) == ["18446744073709551615", "0"]
    assert text.cells("tcp_flags", np.array([0x12], np.uint8)) == ["18"]
    assert text.cells("protocol", np.array([17], np.uint8)) == ["17"]
    assert text.is_number("bytes", largest)
    assert not text.is_number("verdict", np.zeros(1, np.uint8))


def floats(numbers: list[float]) -> list[str]:
    return text.cells("size_mean", np.array(numbers, np.float64))


# What the algorithm treats by itself: zeros, subnormal numbers, powers of two (whose neighbour below is closer), whole
# numbers, halfway cases of decimal digits, where an exponent begins, and the ends of all ranges.
SPECIAL_FLOATS = [
    0.0, 1.0, 9.5, 0.1, 0.3, 2 / 3, 5e-324, 2.225073858507201e-308, 2.2250738585072014e-308, 1.7976931348623157e308,
    9007199254740991.0, 9007199254740992.0, 1e15, 1e16, 1e17, 9999999999999998.0, 123456789012345680.0, 4.35, 1e-3,
    1e-4, 9.999999999999999e-05, 1e-5, 5e-5, 1e22, 1e23, 9e-265, 2.9802322387695312e-08, 1e99, 1e100, 1e-99, 1e-100,
    *(2.0**exponent for exponent in range(-1074, 1024)),
    *(float(f"{digits}e{exponent}") for exponent in range(-324, 309) for digits in ("1", "1.5", "9.999999999999999")),
]  # fmt: skip


def test_a_float_is_the_shortest_text_that_reads_back_as_itself():
    numbers = [sign * number for number in SPECIAL_FLOATS for sign in (1, -1)]
    neighbours = [math.nextafter(number, end) for number in SPECIAL_FLOATS for end in (0, sys.float_info.max)]
    assert floats(numbers) == list(map(repr, numbers))
    assert floats(neighbours) == list(map(repr, neighbours))


@given(st.lists(st.floats(allow_nan=False), max_size=200))
def test_any_float_is_written_as_python_writes_it(numbers):
    assert floats(numbers) == list(map(repr, numbers))


def test_random_bits_that_are_a_float_are_written_as_python_writes_them():
    numbers = np.random.default_rng(2021).integers(0, 2**64, 50_000, np.uint64).view(np.float64)
    numbers = numbers[np.isfinite(numbers)].tolist()
    assert floats(numbers) == list(map(repr, numbers))


def test_what_is_no_number_is_blank_and_in_json_null():
    numbers = np.array([math.nan, math.inf, -math.inf, 1.5])
    assert text.cells("size_mean", numbers) == ["", "inf", "-inf", "1.5"]
    written = b"".join(text.rows({"size_mean": numbers}, (b"", b","), str, as_json=True))
    assert json.loads(f"[{written.decode()}0]") == [None, None, None, 1.5, 0]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_several_integers_a_row_have_commas_between_them_and_in_json_brackets(dtype):
    limits = np.iinfo(dtype)
    rows = [[0, limits.min, limits.max], [-1, 7, 100]]
    columns = {"splt_size": np.array(rows, dtype)}
    assert text.cells("splt_size", columns["splt_size"]) == [",".join(map(str, row)) for row in rows]
    written = b"".join(text.rows(columns, (b"", b"\n"), str, as_json=True)).decode()
    assert written.splitlines() == list(map(json.dumps, rows))


def test_an_empty_column_has_no_texts():
    assert text.addresses(np.empty((0, 16), np.uint8)) == []
    assert text.times(np.empty(0, np.int64)) == []
    assert text.cells("packets", np.empty(0, np.uint64)) == []


def test_a_column_need_not_lie_in_one_piece():
    assert text.integers(np.arange(9, dtype=np.uint16)[::2]) == ["0", "2", "4", "6", "8"]
    assert text.addresses(packed("10.0.0.1", "10.0.0.2", "10.0.0.3")[::-2]) == ["10.0.0.3", "10.0.0.1"]


def test_cells_longer_than_a_piece_of_text_are_written_whole():
    cells = [b"a", b"x" * 1_000_000, b"y", b"z" * 300_000]
    pieces = list(TextRows([("integer", np.arange(4, dtype=np.uint8)), ("text", cells)], (b"<", b"=", b">")))
    assert b"".join(pieces) == b"".join(b"<%d=%s>" % row for row in enumerate(cells))


@pytest.mark.parametrize(
    ("columns", "literals", "error"),
    [
        ([("integer", np.zeros(2, np.uint8))], [b""], ValueError),
        ([("integer", np.zeros(2, np.uint8)), ("integer", np.zeros(3, np.uint8))], [b""] * 3, ValueError),
        ([("integer", np.zeros(2))], [b""] * 2, TypeError),
        ([("integer", np.zeros(2, np.dtype(np.uint32).newbyteorder()))], [b""] * 2, TypeError),
        ([("integer", np.zeros((2, 3), np.uint8))], [b""] * 2, TypeError),
        ([("address", np.zeros((2, 6), np.uint8))], [b""] * 2, TypeError),
        ([("mac", np.zeros((2, 16), np.uint8))], [b""] * 2, TypeError),
        ([("time", np.zeros(2, np.uint64))], [b""] * 2, TypeError),
        ([(VERDICTS, np.zeros(2, np.uint16))], [b""] * 2, TypeError),
        ([(("x" * 32,), np.zeros(2, np.uint8))], [b""] * 2, ValueError),
        ([("text", [b"", "str"])], [b""] * 2, TypeError),
    ],
)
def test_what_has_no_such_text_is_refused(columns, literals, error):
    with pytest.raises(error):
        TextRows(columns, literals)


# Dictionaries ---------------------------------------------------------------------------------------------------------


def decoded(values: np.ndarray) -> list[str]:
    """The rows of a dictionary-encoded column, and that no text is in the dictionary twice."""
    codes, offsets, octets = dictionary(values)
    ends = np.frombuffer(offsets, np.int32).tolist()
    texts = [octets[start:end].decode() for start, end in pairwise(ends)]
    assert len(set(texts)) == len(texts)
    return [texts[code] for code in np.frombuffer(codes, np.uint32).tolist()]


@given(st.lists(st.ip_addresses(), max_size=8).flatmap(lambda some: st.lists(st.sampled_from(some or [ip_address(0)]))))
def test_a_dictionary_of_addresses_gives_back_the_text_of_every_row(addresses):
    values = packed(*map(str, addresses))
    assert decoded(values) == text.addresses(values)


@pytest.mark.parametrize("distinct", [1, 511, 512, 513, 2_049, 70_000])
def test_a_dictionary_grows_with_the_values_that_differ(distinct):
    values = np.zeros((distinct, 16), np.uint8)
    values[:, 12:] = np.arange(distinct, dtype=">u4").view(np.uint8).reshape(-1, 4)
    twice = np.concatenate([values, values[::-1]])
    assert decoded(twice) == text.addresses(twice)
    assert decoded(twice[:, :6].copy()) == text.cells("src_mac", twice[:, :6])


def test_the_texts_of_a_dictionary_stand_in_the_order_of_their_first_rows():
    _, _, octets = dictionary(packed("10.0.0.2", "10.0.0.1", "10.0.0.2", "::1"))
    assert octets == b"10.0.0.210.0.0.1::1"


def test_a_dictionary_without_rows_has_no_texts():
    assert dictionary(np.empty((0, 16), np.uint8)) == (b"", bytes(4), b"")


def test_a_dictionary_is_made_of_addresses_alone():
    with pytest.raises(TypeError, match="6 or 16 bytes, not 8"):
        dictionary(np.zeros((2, 8), np.uint8))
