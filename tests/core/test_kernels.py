"""Checksum kernels agree with the scalar kernel and plain Python (RFC 1071); CRC32c (RFC 3720, RFC 9260)."""

import os
import subprocess
import sys
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

import builders as b
import plain_checksums
from capture_files import pcap, records
from core_driver import rows
from fluxcap._core import crc32c, kernel, kernels, ones_sum, use_kernel
from preloaded import SUPPORT

CACHE_LINE = 64
LONGEST = 200  # past three of the widest vectors, with every tail
WINDOW = 262144  # bytes that one job of a kernel has at most
BUFFER = bytes((37 * at * at + 11 * at) % 251 for at in range(CACHE_LINE + LONGEST))

every_kernel = pytest.mark.parametrize("name", kernels())


@pytest.fixture
def kernel_restored():
    before = kernel()
    yield
    use_kernel(before)


@every_kernel
def test_a_kernel_sums_every_length_at_every_alignment_as_the_scalar_one_and_as_plain_python(name):
    for start in range(CACHE_LINE):
        for length in range(LONGEST + 1):
            data = memoryview(BUFFER)[start : start + length]
            found = ones_sum(data, kernel=name)
            assert (start, length, found) == (start, length, ones_sum(data, kernel="scalar"))
            assert (start, length, found) == (start, length, plain_checksums.ones_sum(bytes(data)))


@every_kernel
def test_a_kernel_carries_through_octets_that_are_all_ones(name):
    for length in (*range(2, LONGEST + 1), 65535, WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW + 5):
        # 0xFFFF is the other zero of ones' complement (RFC 1071): adding it does not change a sum.
        assert (length, ones_sum(b"\xff" * length, kernel=name)) == (length, 0xFF00 if length % 2 else 0xFFFF)


@every_kernel
def test_a_kernel_pads_an_odd_tail_with_zero_whatever_comes_after_it(name):
    for length in range(1, LONGEST, 2):
        buffer = memoryview(bytes(length - 1) + b"\xab" + b"\xff" * CACHE_LINE)
        assert (length, ones_sum(buffer[:length], kernel=name)) == (length, 0xAB00)


@every_kernel
@given(data=st.binary(max_size=4096), start=st.integers(0, CACHE_LINE))
def test_a_kernel_sums_any_octets_as_plain_python(name, data, start):
    assert ones_sum(memoryview(data)[start:], kernel=name) == plain_checksums.ones_sum(data[start:])


@every_kernel
def test_a_kernel_sums_the_longest_datagram_and_more(name):
    data = (BUFFER * (WINDOW // len(BUFFER) + 2))[: WINDOW + 3]
    for length in (65535, WINDOW + 3):
        assert ones_sum(data[:length], kernel=name) == plain_checksums.ones_sum(data[:length])


@every_kernel
@pytest.mark.usefixtures("kernel_restored")
def test_a_kernel_gives_the_verdicts_that_the_builders_made(name):
    checksum = {"good": None, "partial": "partial", "bad": 0x1234}
    datagrams = [
        b.ethernet(network(transport(BUFFER[:length], checksum=value)))
        for length in range(LONGEST)
        for value in checksum.values()
        for network, transport in ((b.ipv4, b.udp), (b.ipv6, b.tcp))
    ]
    use_kernel(name)
    found = [row["verdict"] for row in rows(pcap(records(datagrams)), columns=["verdict"])]
    assert found == [verdict for _ in range(LONGEST) for verdict in checksum for _ in range(2)]


@every_kernel
@pytest.mark.usefixtures("kernel_restored")
def test_a_kernel_carries_an_odd_last_octet_out_of_a_sum_that_the_addresses_have_filled(name):
    datagrams = []
    for length in range(1, LONGEST, 2):
        # Two words that lead the pseudo-header's sum to 2**64 - 1, as this machine adds: one more, and it carries.
        others = (int.from_bytes(number, sys.byteorder) for number in ((17).to_bytes(2), (8 + length).to_bytes(4)))
        full = 2**64 - 1 - sum(others)
        src, dst = (str(IPv6Address(bytes(8) + word.to_bytes(8, sys.byteorder))) for word in (1, full - 1))
        datagrams.append(b.ethernet(b.ipv6(b.udp(bytes(length - 1) + b"\xab"), src=src, dst=dst)))
    use_kernel(name)
    assert {row["verdict"] for row in rows(pcap(records(datagrams)), columns=["verdict"])} == {"good"}


def test_the_scalar_kernel_is_there_on_every_processor_and_the_fastest_is_in_use():
    assert kernels()[-1] == "scalar"
    if "FLUXCAP_KERNEL" not in os.environ:
        assert kernel() == kernels()[0]


@every_kernel
@pytest.mark.usefixtures("kernel_restored")
def test_use_kernel_changes_the_kernel_in_use(name):
    use_kernel(name)
    assert kernel() == name


@pytest.mark.parametrize("choose", [use_kernel, lambda name: ones_sum(b"", kernel=name)], ids=["use", "ones_sum"])
def test_an_unknown_kernel_is_refused_with_the_names_there_are(choose):
    with pytest.raises(ValueError, match=r"unknown checksum kernel 'sse9'.*scalar"):
        choose("sse9")
    assert kernel() in kernels()


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)


SUMS_BEFORE_A_FORBIDDEN_PAGE = f"""
import sys
sys.path.append({str(SUPPORT)!r})
from fluxcap._core import ones_sum
from forbidden_page import memory_before_it

memory = memory_before_it(200)
for length in range(200):
    ones_sum(memory[len(memory) - length :])
"""


@every_kernel
def test_a_kernel_touches_no_octet_past_the_last(name):
    assert run_python(SUMS_BEFORE_A_FORBIDDEN_PAGE, FLUXCAP_KERNEL=name).returncode == 0


@every_kernel
def test_the_environment_forces_a_kernel_at_import(name):
    done = run_python("from fluxcap import _core; print(_core.kernel())", FLUXCAP_KERNEL=name)
    assert (done.stdout.strip(), done.returncode) == (name, 0)


def test_a_wrong_name_in_the_environment_fails_at_import_and_says_what_there_is():
    done = run_python("from fluxcap import _core", FLUXCAP_KERNEL="sse9")
    assert done.returncode != 0
    assert "unknown checksum kernel 'sse9'; there are" in done.stderr


ISCSI_READ = bytes.fromhex(
    "01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 00000000"
)


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        pytest.param(bytes(32), 0x8A9136AA, id="RFC 3720 B.4: 32 bytes of zeroes"),
        pytest.param(b"\xff" * 32, 0x62A8AB43, id="RFC 3720 B.4: 32 bytes of ones"),
        pytest.param(bytes(range(32)), 0x46DD794E, id="RFC 3720 B.4: 32 bytes of incrementing 00..1f"),
        pytest.param(bytes(range(31, -1, -1)), 0x113FDB5C, id="RFC 3720 B.4: 32 bytes of decrementing 1f..00"),
        pytest.param(ISCSI_READ, 0xD9963A56, id="RFC 3720 B.4: an iSCSI SCSI Read (10) command PDU"),
        pytest.param(b"123456789", 0xE3069283, id="the check value of CRC-32/ISCSI"),
        pytest.param(b"", 0, id="nothing"),
    ],
)
def test_crc32c_is_that_of_the_published_vectors(data, crc):
    assert crc32c(data) == crc
    assert plain_checksums.crc32c(data) == crc


@pytest.mark.parametrize("start", range(8))
def test_crc32c_takes_every_length_as_one_bit_at_a_time_does(start):
    for length in range(LONGEST + 1):
        data = memoryview(BUFFER)[start : start + length]
        assert (length, crc32c(data)) == (length, plain_checksums.crc32c(bytes(data)))
