"""`by=` and the key it means."""

import re

import pytest

from fluxcap.plan import keys

WHOLE = (32, 128)
FIVE_TUPLE = [(name, *WHOLE) for name in ("protocol", "src_ip", "src_port", "dst_ip", "dst_port")]

KEYS = [
    # by, fields, biflow
    ("5tuple", FIVE_TUPLE, True),
    ("ports", [("protocol", *WHOLE), ("src_port", *WHOLE), ("dst_port", *WHOLE)], True),
    ("hosts", [("src_ip", *WHOLE), ("dst_ip", *WHOLE)], True),
    ("sockets", [("protocol", *WHOLE), ("src_ip", *WHOLE), ("src_port", *WHOLE)], False),
    ("src_ip,dst_port", [("src_ip", *WHOLE), ("dst_port", *WHOLE)], False),
    (["dst_port", "src_port"], [("src_port", *WHOLE), ("dst_port", *WHOLE)], True),
    (" dst_ip , src_ip ", [("src_ip", *WHOLE), ("dst_ip", *WHOLE)], True),
    ("proto,srcip,srcport,dstip,dstport", FIVE_TUPLE, True),
    ("src_ip/24", [("src_ip", 24, 128)], False),
    ("src_ip/24,dst_ip/24", [("src_ip", 24, 128), ("dst_ip", 24, 128)], True),
    ("src_ip/24,dst_ip/16", [("src_ip", 24, 128), ("dst_ip", 16, 128)], False),
    ("src_ip/24/64,dst_ip/24", [("src_ip", 24, 64), ("dst_ip", 24, 128)], False),
    ("srcip/0/0,dstip/0/0", [("src_ip", 0, 0), ("dst_ip", 0, 0)], True),
    ("protocol", [("protocol", *WHOLE)], True),
    ("hosts,vlan", [("src_ip", *WHOLE), ("dst_ip", *WHOLE), ("vlan", *WHOLE)], True),
    ("dst_mac,src_mac", [("src_mac", *WHOLE), ("dst_mac", *WHOLE)], True),
    ("hosts,direction", [("src_ip", *WHOLE), ("dst_ip", *WHOLE), ("direction", *WHOLE)], False),
    ("src_mac,dst_ip", [("dst_ip", *WHOLE), ("src_mac", *WHOLE)], False),
]


@pytest.mark.parametrize(("by", "fields", "biflow"), KEYS)
def test_a_key_is_its_fields_in_the_order_of_the_table_and_whether_it_has_a_reverse(by, fields, biflow):
    key = keys.parse(by)
    assert list(key.fields) == fields
    assert key.biflow is biflow
    assert keys.parse(by, biflow=False).biflow is False


@pytest.mark.parametrize("by", [by for by, _, _ in KEYS])
def test_the_text_of_a_key_parses_to_the_same_key(by):
    key = keys.parse(by)
    assert keys.parse(key.text) == key


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("dst_prt", "unknown key field 'dst_prt'; did you mean 'dst_port'"),
        ("5tupel", "did you mean '5tuple'"),
        ("", "unknown key field ''"),
        ([], "names no field"),
        ("src_ip,srcip", "'src_ip' twice"),
        ("hosts,src_ip/24", "'src_ip' twice"),
        ("src_ip/33", "0 to 32, not '33'"),
        ("src_ip/24/129", "0 to 128, not '129'"),
        ("src_ip/-1", "0 to 32, not '-1'"),
        ("src_ip/", "0 to 32, not ''"),
        ("src_ip/²", "0 to 32"),
        ("src_ip/1/2/3", "at most two prefix lengths"),
        ("src_port/8", "only src_ip and dst_ip take a prefix length"),
        ("hosts/24", "unknown key field 'hosts'"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_with_the_reason(by, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        keys.parse(by)
