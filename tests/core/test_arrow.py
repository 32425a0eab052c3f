"""Tables in the Arrow C data interface, read with the Arrow libraries that other programs use."""

import gc
import json
import sys
from ipaddress import ip_address

import nanoarrow as na
import numpy as np
import pyarrow as pa
import pytest

import builders as b
import fluxcap
from capture_files import pcap, records
from fluxcap._core import arrow_stream
from fluxcap.tables.table import Table
from six_packets import CAPTURE, IPV4, PACKETS, SECOND, SOURCES, START


def names_of(codes, names) -> list[str]:
    return [names[code] for code in codes.tolist()]


@pytest.fixture(scope="module")
def packets():
    return fluxcap.read_packets(CAPTURE, columns=(*fluxcap.read_packets(CAPTURE).columns, "src_mac", "reason"))


@pytest.fixture(scope="module")
def flows():
    return fluxcap.read_flows(CAPTURE, idle_timeout="1m")


INTEGERS = {"u1": pa.uint8(), "u2": pa.uint16(), "u4": pa.uint32(), "u8": pa.uint64(), "i8": pa.int64()}
TEXTS = pa.dictionary(pa.int32(), pa.string())
NAMES = pa.dictionary(pa.int8(), pa.string())
PROTOCOLS = pa.dictionary(pa.int16(), pa.string())  # 256 of them
TIME = pa.timestamp("ns", "UTC")
NAMED = ("verdict", "ip_verdict", "disposition", "reason")
FORMS = [
    ({}, {"src_ip": TEXTS, "src_mac": TEXTS, **dict.fromkeys(NAMED, NAMES), "protocol": pa.uint8()}),
    ({"labels": True}, {"src_ip": TEXTS, **dict.fromkeys(NAMED, NAMES), "protocol": PROTOCOLS}),
    ({"labels": False}, {"src_ip": TEXTS, **dict.fromkeys(NAMED, pa.uint8()), "protocol": pa.uint8()}),
    ({"ip": "binary"}, {"src_ip": pa.binary(16), "src_mac": pa.binary(6), **dict.fromkeys(NAMED, NAMES)}),
]


@pytest.mark.parametrize(("form", "types"), FORMS, ids=str)
def test_every_column_has_its_arrow_type_and_only_times_and_addresses_may_be_missing(packets, form, types):
    table = packets.to_arrow(**form)
    table.validate(full=True)
    assert table.column_names == list(packets.columns)
    for field in table.schema:
        array = packets[field.name]
        plain = TIME if field.name == "time" else INTEGERS[array.dtype.str[1:]]
        assert field.type == types.get(field.name, plain if array.ndim == 1 else field.type), field.name
        assert field.nullable is (field.name in ("time", "src_ip", "dst_ip"))
        assert table[field.name].null_count == field.name.endswith("_ip")  # a frame has none


def test_values_are_those_of_the_table(packets):
    table = packets.to_arrow()
    assert table["src_ip"].to_pylist() == SOURCES
    assert table["src_mac"].to_pylist() == [b.MAC_A.hex(":")] * len(PACKETS)
    assert table["verdict"].to_pylist() == names_of(packets["verdict"], fluxcap.VERDICTS)
    assert table["disposition"].to_pylist() == names_of(packets["disposition"], fluxcap.DISPOSITIONS)
    assert table["time"].cast(pa.int64()).to_pylist() == [START + at for at in range(len(PACKETS))]
    for name in packets.columns:
        if packets[name].ndim == 1 and name not in (*NAMED, "time"):
            assert table[name].to_pylist() == packets[name].tolist(), name


def test_a_text_that_occurs_twice_is_in_the_dictionary_once(packets):
    column = packets.to_arrow()["src_ip"].chunk(0)
    assert column.dictionary.to_pylist() == list(dict.fromkeys(address or "::" for address in SOURCES))


def test_protocols_have_names_when_labels_are_asked_for(packets):
    assert packets.to_arrow(labels=True)["protocol"].to_pylist() == ["UDP"] * 4 + ["HOPOPT", "UDP"]
    assert packets.to_arrow()["protocol"].to_pylist() == [17, 17, 17, 17, 0, 17]


def test_binary_addresses_are_sixteen_octets_with_ipv4_mapped(packets):
    found = packets.to_arrow(ip="binary")["src_ip"].to_pylist()
    assert [octets and str(ip_address(octets).ipv4_mapped or ip_address(octets)) for octets in found] == SOURCES


def test_addresses_as_numbers_are_for_ipv4_alone():
    ipv4 = fluxcap.read_packets(pcap(records(IPV4)), columns="src_ip,src_mac")
    assert ipv4.to_arrow(ip="uint32")["src_ip"].to_pylist() == [int(ip_address(one)) for one in SOURCES[:3]]
    assert ipv4.to_arrow(ip="uint32").schema.types == [pa.uint32(), pa.binary(6)]


def test_a_record_without_an_address_has_zero_among_numbers_but_an_ipv6_address_is_refused(packets):
    without_ipv6 = packets.filter(packets["ip_version"] != 6)
    assert without_ipv6.to_arrow(ip="uint32")["src_ip"].to_pylist()[3] == 0
    with pytest.raises(ValueError, match="src_ip in row 3 is 2001:db8::: ip='uint32' is for IPv4 alone"):
        packets.to_arrow(ip="uint32")


def test_a_form_that_there_is_not_is_refused(packets):
    with pytest.raises(ValueError, match="ip is one of 'text', 'binary', 'uint32', not 'int'"):
        packets.to_arrow(ip="int")


def test_numbers_times_codes_and_binary_addresses_are_not_copied(packets):
    texts, octets = packets.to_arrow(), packets.to_arrow(ip="binary")
    for name in packets.columns:
        table = octets if packets[name].ndim > 1 else texts
        assert table[name].chunk(0).buffers()[1].address == packets[name].ctypes.data, name


def test_nanoarrow_reads_it_without_a_copy_too(packets):
    batch = na.c_array_stream(packets).get_next()
    place = packets.columns.index("tcp_seq")
    assert np.asarray(batch.child(place).view().buffer(1)).ctypes.data == packets["tcp_seq"].ctypes.data


def test_every_call_gives_a_fresh_stream(flows):
    assert pa.table(flows) == pa.table(flows)
    assert pa.table(flows).num_rows == len(flows)
    assert pa.schema(flows) == pa.table(flows).schema


def test_what_was_read_and_how_is_in_the_metadata_of_the_schema(flows):
    about = json.loads(pa.schema(flows).metadata[b"fluxcap"])
    assert about["schema"] == 1
    assert (about["by"], about["idle_timeout"]) == (flows.metadata["by"], 60 * SECOND)
    assert about["ledger"]["non_ip"] == {"records": 1, "octets": len(PACKETS[4])}
    assert about["inputs"] == ["<bytes>"]
    assert "version" in about


def test_the_memory_of_a_table_is_held_as_long_as_something_reads_it_and_no_longer(packets):
    column = packets["packet"]
    gc.collect()
    before = sys.getrefcount(column)
    table = pa.table(packets)
    assert sys.getrefcount(column) > before
    del table
    untouched = packets.__arrow_c_stream__()
    begun = na.c_array_stream(packets)
    begun.get_schema()
    one_child = na.c_array_stream(packets).get_next().child(0)
    assert sys.getrefcount(column) > before
    del untouched, begun, one_child
    gc.collect()
    assert sys.getrefcount(column) == before
    kept = pa.table(fluxcap.read_packets(CAPTURE))
    gc.collect()
    assert kept["src_ip"].to_pylist() == SOURCES


def test_a_table_without_rows_has_the_same_schema(packets):
    empty = packets.head(0)
    assert pa.table(empty).schema.equals(pa.table(packets).schema)
    assert pa.table(empty).num_rows == 0


def test_columns_that_are_not_in_one_piece_are_copied():
    table = Table({"a": np.arange(10, dtype=np.uint16)[::3], "src_ip": np.zeros((8, 16), np.uint8)[::2]})
    assert pa.table(table).to_pydict() == {"a": [0, 3, 6, 9], "src_ip": ["::"] * 4}


def test_a_code_that_has_no_name_is_named_by_its_number():
    codes = np.array([1, 100, 2], np.uint8)
    table = pa.table(Table({"verdict": codes}))
    table.validate(full=True)
    assert table["verdict"].to_pylist() == ["good", "100", "bad"]


def test_a_code_past_all_that_one_signed_byte_holds_is_refused_not_turned_negative():
    with pytest.raises(Exception, match="verdict has the code 200"):
        pa.table(Table({"verdict": np.array([1, 200, 2], np.uint8)}))


def test_an_exception_inside_a_stream_reaches_its_reader_as_text():
    def batches():
        yield 2, (None,), [(2, (None, b"ab"), (), None)], None
        raise LookupError("the cable fell out")

    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return arrow_stream((b"+s", b"", b"", False, [(b"C", b"a", b"", False, (), None)], None), batches())

    reader = pa.RecordBatchReader.from_stream(Stream())
    assert reader.read_next_batch().to_pydict() == {"a": [97, 98]}
    with pytest.raises(OSError, match="LookupError: the cable fell out"):
        reader.read_next_batch()


def test_a_batch_that_is_none_leaves_nothing_behind():
    column = np.zeros(2, np.uint8)
    before = sys.getrefcount(column)
    good = (2, (None, column), (), None)
    schema = (b"+s", b"", b"", False, [(b"C", b"a", b"", False, (), None)], None)
    for bad, message in (
        ((2, (column, column, column, column), (), None), "at most 3 buffers, not 4"),
        ((2, (column, object()), (), None), "bytes-like object is required"),
        ((2,), "need more than 1 value"),
        ((2, (None,), [good, (1,)], None), "need more than 1 value"),
    ):
        capsule = arrow_stream(schema, [(2, (None,), [good, bad], None)])
        with pytest.raises(OSError, match=message):
            pa.RecordBatchReader._import_from_c_capsule(capsule).read_all()
        del capsule
    del good, bad
    assert sys.getrefcount(column) == before
