"""UDP messages: what each socket was sent, and the directory with the index."""

import pytest

import builders as b
import fluxcap
from capture_files import Record, pcap, rewrapped
from delivered_directory import demuxed, read
from real_captures import SAMPLES

A, B = "192.0.2.1", "192.0.2.2"
A6, B6 = "2001:db8::1", "2001:db8::2"
START = 1_700_000_000_000_000_000


def records(*frames):
    return [Record(bytes(frame), START + place) for place, frame in enumerate(frames)]


def to(port, data, src=A, dst=B, src_port=4000, layer=b.udp, **options):
    return b.ethernet((b.ipv6 if ":" in dst else b.ipv4)(layer(data, src_port, port, **options), src, dst))


def messages(delivery):
    """Receiver, sender and content of each message."""
    ends = {one["number"]: (one["address"], one["port"]) for one in delivery.sockets}
    return [(*ends[one["socket"]], one["src_ip"], one["src_port"], one["data"]) for one in delivery.messages]


def test_each_message_goes_to_the_socket_it_was_addressed_to(tmp_path):
    other = to(53, b"three", "192.0.2.9", src_port=9)
    frames = to(53, b"one"), to(54, b"two"), other, to(53, b"", A6, B6), to(53, b"4")
    delivery = demuxed(rewrapped(records(*frames)), tmp_path / "out")
    assert messages(delivery) == [
        (B, 53, A, 4000, b"one"),
        (B, 54, A, 4000, b"two"),
        (B, 53, "192.0.2.9", 9, b"three"),
        (B6, 53, A6, 4000, b""),
        (B, 53, A, 4000, b"4"),
    ]
    assert [(one["file"], one["messages"], one["octets"]) for one in delivery.sockets] == [
        ("udp-000001.bin", 3, 9),
        ("udp-000002.bin", 1, 3),
        (None, 1, 0),
    ]
    assert [one["packet"] for one in delivery.messages] == [1, 2, 3, 4, 5]
    assert delivery.messages[4]["time"] == "2023-11-14T22:13:20.000000004Z"
    assert delivery.sockets[0]["last"] == delivery.messages[4]["time"]


VERDICTS = {  # of the checksum: whether a kernel would deliver it
    "good": (to(53, b"x"), True),
    "partial": (to(53, b"x", checksum="partial"), True),
    "absent": (to(53, b"x", checksum=0), True),
    "bad": (to(53, b"x", checksum=1), False),
    "illegal": (to(53, b"x", A6, B6, checksum=0), False),
    "bad_length": (to(53, b"x", length=100, checksum=1), False),
}


@pytest.mark.parametrize(("frame", "delivered"), VERDICTS.values(), ids=VERDICTS)
def test_what_a_kernel_would_drop_is_not_delivered_but_counted(frame, delivered, tmp_path, request):
    capture = pcap(records(frame))
    delivery = demuxed(capture, tmp_path / "out")
    assert [one["data"] for one in delivery.messages] == [b"x"] * delivered
    assert (delivery.sockets[0]["refused"], delivery.sockets[0]["packets"]) == (not delivered, 1)
    kept = demuxed(capture, tmp_path / "kept", keep_bad=True)
    assert [(one["data"], one["verdict"]) for one in kept.messages] == [(b"x", request.node.callspec.id)]


@pytest.mark.parametrize("length", [0, 7, 10, 100])
def test_a_udp_length_that_the_ip_length_contradicts_is_a_reason_without_a_checksum_too(length, tmp_path):
    delivery = demuxed(pcap(records(to(53, b"", length=length, checksum=0))), tmp_path / "out")
    assert (delivery.messages, delivery.sockets[0]["refused"]) == ([], 1)


def test_a_bad_ipv4_header_checksum_is_a_reason_too_and_one_left_to_the_card_is_none(tmp_path):
    bad, left = (b.ethernet(b.ipv4(b.udp(b"x", 1, 2), A, B, checksum=value)) for value in (1, 0))
    delivery = demuxed(pcap(records(bad, left)), tmp_path / "out")
    assert [one["packet"] for one in delivery.messages] == [2]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 1, 2)])
def test_a_message_in_fragments_is_put_together_in_whatever_order_they_come(version, order, tmp_path):
    data = bytes(range(40))
    ends = (A, B) if version == 4 else (A6, B6)
    whole = b.udp(data, 4000, 53).over(*map(b.packed, ends))
    if version == 4:
        parts = [b.ipv4(part, *ends, b.UDP, offset=at, more=more) for at, more, part in b.pieces(whole, 16)]
    else:
        parts = [b.ipv6(b.fragment(part, at, more, next_header=b.UDP), *ends) for at, more, part in b.pieces(whole, 16)]
    delivery = demuxed(pcap(records(*(b.ethernet(parts[place]) for place in order))), tmp_path / "out")
    assert messages(delivery) == [(ends[1], 53, ends[0], 4000, data)]
    assert (delivery.messages[0]["packet"], delivery.messages[0]["verdict"]) == (len(order), "good")
    assert delivery.capture["incomplete"] == 0


@pytest.mark.parametrize(
    ("damage", "refused"), [("one missing", 0), ("overlapping", 0), ("bad checksum", 1), ("bad header checksum", 1)]
)
def test_a_datagram_that_cannot_be_put_together_is_not_delivered_but_counted(damage, refused, tmp_path):
    checksum = 1 if damage == "bad checksum" else None
    whole = b.udp(bytes(40), 4000, 53, checksum=checksum).over(b.packed(A), b.packed(B))
    parts = list(b.pieces(whole, 16))
    if damage == "one missing":
        del parts[1]
    if damage == "overlapping":
        parts.insert(1, (8, True, b"\xff" * 16))
    header = {16: 1} if damage == "bad header checksum" else {}
    frames = [
        b.ethernet(b.ipv4(part, A, B, b.UDP, offset=at, more=more, checksum=header.get(at))) for at, more, part in parts
    ]
    done = fluxcap.demux(pcap(records(*frames)), tmp_path / "out")
    assert (done.messages, done.refused, done.incomplete) == (0, refused, damage != "bad checksum")


def test_a_message_that_the_snap_length_cut_says_how_much_is_missing(tmp_path):
    frames = [one.cut(50) for one in records(to(53, b"0123456789abcdef"), to(53, b"next"))]
    delivery = demuxed(pcap(frames), tmp_path / "out")
    assert [(one["data"], one["missing"], one["verdict"]) for one in delivery.messages] == [
        (b"01234567", 8, "truncated"),
        (b"next", 0, "good"),
    ]


def test_a_header_that_was_cut_delivers_nothing(tmp_path):
    delivery = demuxed(pcap([one.cut(40) for one in records(to(53, b"0123"))]), tmp_path / "out")
    assert (delivery.messages, delivery.sockets[0]["cut"]) == ([], 1)


def test_in_a_tunnel_it_is_the_inner_socket_that_is_sent_to_unless_decap_is_off(tmp_path):
    inner = b.ethernet(b.ipv4(b.udp(b"inside", 1, 2), "10.0.0.1", "10.0.0.2"))
    capture = pcap(records(to(b.VXLAN_PORT, b.vxlan(inner))))
    assert messages(demuxed(capture, tmp_path / "in")) == [("10.0.0.2", 2, "10.0.0.1", 1, b"inside")]
    (message,) = messages(demuxed(capture, tmp_path / "out", decap=False))
    assert (message[:2], message[4][8:]) == ((B, b.VXLAN_PORT), bytes(inner))


def test_a_tunnel_in_fragments_is_entered_once_it_is_whole(tmp_path):
    inner = b.ethernet(b.ipv4(b.udp(bytes(range(50)), 1, 2), "10.0.0.1", "10.0.0.2"))
    outer = b.udp(b.vxlan(inner), 4000, b.VXLAN_PORT).over(b.packed(A), b.packed(B))
    frames = [b.ethernet(b.ipv4(part, A, B, b.UDP, offset=at, more=more)) for at, more, part in b.pieces(outer, 64)]
    delivery = demuxed(pcap(records(*frames)), tmp_path / "out")
    assert messages(delivery) == [("10.0.0.2", 2, "10.0.0.1", 1, bytes(range(50)))]


def test_udp_lite_has_sockets_of_its_own(tmp_path):
    frames = to(53, b"lite", layer=b.udp_lite), to(53, b"udp")
    delivery = demuxed(pcap(records(*frames)), tmp_path / "out")
    assert [(one["protocol"], one["file"], one["data"]) for one in delivery.sockets] == [
        (136, "udplite-000001.bin", b"lite"),
        (17, "udp-000002.bin", b"udp"),
    ]


def test_a_filter_says_which_packets_are_delivered(tmp_path):
    pytest.importorskip("cypcap")
    delivery = demuxed(pcap(records(to(53, b"a"), to(54, b"b"))), tmp_path / "out", where="port 54")
    assert messages(delivery) == [(B, 54, A, 4000, b"b")]


def test_several_inputs_are_one_capture_and_a_message_says_which_it_was_in(tmp_path):
    one, other = pcap(records(to(53, b"a"), to(53, b"b"))), pcap(records(to(53, b"c")))
    delivery = demuxed([one, other], tmp_path / "out")
    assert [(one["input"], one["packet"], one["data"]) for one in delivery.messages] == [
        (0, 1, b"a"),
        (0, 2, b"b"),
        (1, 1, b"c"),
    ]


def test_a_directory_with_something_in_it_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(FileExistsError, match="not empty"):
        fluxcap.demux(pcap(records(to(53, b"a"))), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_is_no_capture_leaves_no_directory(tmp_path):
    with pytest.raises(fluxcap.NotACaptureError):
        fluxcap.demux(b"no capture at all", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("on_damage", ["warn", "raise"])
def test_what_was_delivered_before_the_damage_is_there_with_its_index(on_damage, tmp_path):
    cut = pcap(records(to(53, b"first"), to(53, b"second")))[:-1]
    if on_damage == "warn":
        with pytest.warns(fluxcap.DamagedCaptureWarning):
            fluxcap.demux(cut, tmp_path / "out")
    else:
        with pytest.raises(fluxcap.TruncatedError) as caught:
            fluxcap.demux(cut, tmp_path / "out", on_damage="raise")
        assert caught.value.partial.messages == 1
    delivery = read(tmp_path / "out")
    assert [one["data"] for one in delivery.messages] == [b"first"]
    assert [one["packet"] for one in delivery.capture["damage"]] == [1]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.pcap*")), ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_sample_is_delivered_with_an_index_that_agrees_with_its_files(path, tmp_path):
    done = fluxcap.demux(path, tmp_path / "out")
    delivery = read(tmp_path / "out")
    assert (done.sockets, done.streams, done.messages) == tuple(
        map(len, (delivery.sockets, delivery.streams, delivery.messages))
    )
