"""Choosing rows and columns of tables, beside five lines of plain Python for each."""

from ipaddress import ip_address, ip_network

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcap
from real_captures import SAMPLES

FLOWS = fluxcap.read_flows(SAMPLES / "session.pcap")
PACKETS = fluxcap.read_packets(SAMPLES / "encapsulations.pcap", columns="packet,src_ip,dst_ip,verdict,src_mac,protocol")
CONNECTIONS = fluxcap.read_connections(SAMPLES / "session.pcap")


def addresses(table, name) -> list:
    found = [ip_address(bytes(octets)) for octets in table[name]]
    return [one.ipv4_mapped or one for one in found]


def inside(address, network: str) -> bool:
    net = ip_network(network)
    return address.version == net.version and address in net


NETWORKS = ("192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "2001:db8::1", "0.0.0.0/0", "::/0", "203.0.113.0/24")


@given(st.slices(130))
def test_a_slice_of_a_table_has_the_rows_of_the_slice_of_each_column(which):
    part = FLOWS[which]
    assert type(part) is fluxcap.FlowTable
    assert all(np.array_equal(part[name], FLOWS[name][which]) for name in FLOWS.columns)


@given(st.lists(st.integers(-len(FLOWS), len(FLOWS) - 1)))
def test_numbers_and_masks_choose_rows_as_in_numpy(numbers):
    assert FLOWS[numbers]["packets"].tolist() == [int(FLOWS["packets"][number]) for number in numbers]
    mask = np.isin(np.arange(len(FLOWS)), numbers)
    assert FLOWS[mask] == FLOWS.filter(mask)
    assert FLOWS[mask]["first"].tolist() == FLOWS["first"][mask].tolist()


@pytest.mark.parametrize(
    ("which", "error"),
    [(3, TypeError), (1.5, TypeError), ([500], IndexError), ([-500], IndexError), ([0.5], TypeError)],
)
def test_what_chooses_no_rows_is_refused(which, error):
    with pytest.raises(error):
        FLOWS[which]


def test_chosen_columns_are_a_table_of_these_in_this_order():
    for chosen in (FLOWS[["packets", "src_ip"]], FLOWS.select("packets, src_ip"), FLOWS.select(("packets", "src_ip"))):
        assert chosen.columns == ("packets", "src_ip")
        assert np.array_equal(chosen["src_ip"], FLOWS["src_ip"])
    assert FLOWS.select("duration")["duration"].tolist() == (FLOWS["last"] - FLOWS["first"]).tolist()
    with pytest.raises(KeyError, match="did you mean 'dst_port'"):
        FLOWS.select("dport")


def test_chosen_columns_of_flows_do_not_merge_and_say_so():
    chosen = FLOWS.select("src_ip,packets")
    with pytest.raises(ValueError, match="without its column 'protocol' does not merge"):
        fluxcap.merge([chosen, chosen])


def test_chosen_columns_of_packets_still_know_which_rows_have_an_address():
    whole = fluxcap.read_packets(SAMPLES / "session.pcap")
    chosen = whole.filter(ip_version=0).select("src_ip")
    assert chosen.to_pandas()["src_ip"].isna().tolist() == [True] * 2  # ARP
    assert [row.src_ip for row in PACKETS.select("src_ip").rows()] == [row.src_ip for row in PACKETS.rows()]


@pytest.mark.parametrize("network", NETWORKS)
def test_rows_are_filtered_by_networks_as_ipaddress_has_them(network):
    kept = FLOWS.filter(src_ip=network)
    expected = [inside(address, network) for address in addresses(FLOWS, "src_ip")]
    assert kept == FLOWS[np.array(expected)]
    assert FLOWS.filter(src_ip=ip_network(network)) == kept


def test_one_of_several_values_is_enough_and_every_condition_is_needed():
    kept = FLOWS.filter(dst_port=[8080, 7007], protocol="tcp", packets=range(6, 100))
    rows = zip(*(FLOWS[name].tolist() for name in ("dst_port", "protocol", "packets")), strict=True)
    expected = [port in (8080, 7007) and protocol == 6 and 6 <= packets < 100 for port, protocol, packets in rows]
    assert 0 < len(kept) < len(FLOWS)
    assert kept == FLOWS[np.array(expected)]


@given(st.integers(-5, 20), st.integers(-5, 40), st.integers(-4, 4).filter(bool))
def test_a_range_keeps_the_rows_whose_number_is_in_it(start, stop, step):
    wanted = range(start, stop, step)
    assert FLOWS.filter(packets=wanted)["packets"].tolist() == [n for n in FLOWS["packets"].tolist() if n in wanted]


def test_verdicts_states_and_letters_are_filtered_by_their_names():
    good = fluxcap.VERDICTS.index("good")
    assert PACKETS.filter(verdict="good") == PACKETS[PACKETS["verdict"] == good] == PACKETS.filter(verdict=good)
    states = [fluxcap.STATES.index(name) for name in ("SF", "REJ")]
    assert CONNECTIONS.filter(state=["SF", "REJ"])["state"].tolist() == [
        code for code in CONNECTIONS["state"].tolist() if code in states
    ]
    letters = CONNECTIONS["history"][0].decode()
    assert set(CONNECTIONS.filter(history=letters)["history"].tolist()) == {letters.encode()}


def test_a_mac_address_is_filtered_by_its_text():
    text = ":".join(f"{octet:02x}" for octet in PACKETS["src_mac"][0])
    expected = [bytes(mac) == bytes(PACKETS["src_mac"][0]) for mac in PACKETS["src_mac"]]
    assert PACKETS.filter(src_mac=text) == PACKETS[np.array(expected)]


@pytest.mark.parametrize("column", ["src_mac", "src_ip", "verdict", "protocol", "packet"])
def test_no_value_at_all_chooses_no_row(column):
    assert len(PACKETS.filter(**{column: []})) == 0


def test_a_row_without_an_ip_header_is_in_no_network():
    packets = fluxcap.read_packets(SAMPLES / "session.pcap")
    assert len(packets.filter(ip_version=0)) > 0
    assert not (packets.filter(src_ip=["0.0.0.0/0", "::/0"])["ip_version"] == 0).any()


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        ({"protocol": "tpc"}, "did you mean 'tcp'"),
        ({"src_ip": "10.0.0.0/40"}, "10.0.0.0/40"),
        ({"packets": "many"}, "packets is a number"),
    ],
)
def test_values_that_a_column_cannot_hold_are_refused(conditions, error):
    with pytest.raises(ValueError, match=error):
        FLOWS.filter(**conditions)


def test_rows_are_named_tuples_of_what_the_cells_say():
    rows = list(CONNECTIONS)
    assert len(rows) == len(CONNECTIONS)
    assert [row.src_ip for row in rows] == list(map(str, addresses(CONNECTIONS, "src_ip")))
    assert [row.first for row in rows] == CONNECTIONS["first"].tolist()
    assert [row.state for row in rows] == [fluxcap.STATES[code] for code in CONNECTIONS["state"]]
    assert [-1 if row.synack_rtt is None else row.synack_rtt for row in rows] == CONNECTIONS["synack_rtt"].tolist()
    assert rows[0]._fields == CONNECTIONS.columns


def test_pandas_takes_a_table_and_the_interchange_protocol_gives_its_columns():
    frame = pd.DataFrame(FLOWS)
    assert list(frame.columns) == list(FLOWS.columns)
    assert frame["packets"].tolist() == FLOWS["packets"].tolist()
    taken = pd.api.interchange.from_dataframe(FLOWS)
    assert taken["src_ip"].tolist() == list(map(str, addresses(FLOWS, "src_ip")))
