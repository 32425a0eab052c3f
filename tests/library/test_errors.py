"""The exceptions, their messages, and texts that are safe to print."""

import pickle

import pytest

from fluxcap import _core, errors
from fluxcap.capture import magic
from fluxcap.errors import CaptureError, NotACaptureError, TruncatedError, UnsupportedError

PYTHON_DAMAGES = ("compressed", "compressed_cut", "read_error")  # met outside the core


def damage(name, offset=166, packet=1, **words):
    return errors.damage_error(name, path="x.pcap", offset=offset, packet=packet, **words)


@pytest.mark.parametrize("name", [*_core.DAMAGES[1:], *PYTHON_DAMAGES])
def test_every_damage_has_a_class_a_reason_and_one_sentence_of_help(name):
    error = damage(name, found=1, wanted=2, what="3")
    assert isinstance(error, CaptureError)
    assert error.reason
    assert "{" not in error.reason
    assert error.help.endswith(".")
    assert ". " not in error.help
    assert (error.path, error.offset, error.packet, error.partial) == ("x.pcap", 166, 1, None)


@pytest.mark.parametrize(
    ("name", "words", "kind", "message"),
    [
        (
            "caplen_too_big",
            {"found": 4294967295, "wanted": 262144},
            CaptureError,
            "x.pcap: damaged at byte 166, after packet 1: captured length 4294967295 is larger than 262144",
        ),
        (
            "record_cut",
            {"found": 30, "wanted": 63},
            TruncatedError,
            "x.pcap: cut short at byte 166, after packet 1: the record needs 63 bytes, 30 are there",
        ),
        (
            "no_interface",
            {"found": 7, "wanted": 1, "packet": 0},
            CaptureError,
            "x.pcap: damaged at byte 166, before any packet: a packet of interface 7 where 1 are described",
        ),
        (
            "unsupported_version",
            {"found": 2 << 16 | 99, "offset": 0, "packet": 0},
            UnsupportedError,
            "x.pcap: not supported: version 2.99 of the format",
        ),
        ("empty", {"offset": 0, "packet": 0}, NotACaptureError, "x.pcap: not a capture: it is empty"),
        (
            "not_a_capture",
            {"offset": 0, "packet": 0, "what": "an ELF program"},
            NotACaptureError,
            "x.pcap: not a capture: it is an ELF program",
        ),
    ],
)
def test_a_damage_says_where_and_which_two_numbers_disagree(name, words, kind, message):
    error = damage(name, **words)
    assert type(error) is kind
    assert str(error) == message


def test_damage_to_the_very_first_header_means_that_it_is_no_capture():
    error = damage("block_trailer", offset=0, packet=0, found=999, wanted=28)
    assert type(error) is NotACaptureError
    assert error.fatal
    assert error.help == "Get a complete copy of the file."


def test_only_what_leaves_nothing_to_read_is_fatal():
    assert damage("empty", offset=0, packet=0).fatal
    assert damage("unsupported_version", offset=200, packet=0).fatal
    assert not damage("unsupported_version", offset=200, packet=1).fatal
    assert not damage("record_cut", offset=24, packet=0).fatal


def test_an_error_survives_pickling_with_all_that_it_carries():
    error = damage("record_cut", found=1, wanted=2)
    error.partial = [1, 2]
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is TruncatedError
    assert str(again) == str(error)
    assert (again.partial, again.help) == ([1, 2], error.help)


def test_an_error_can_be_made_of_path_offset_and_packet_alone():
    assert str(CaptureError("x.pcap", 24, 0)) == "x.pcap: damaged at byte 24, before any packet"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain näme.pcap", "plain näme.pcap"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\nb\tc\rd", r"a\x0ab\x09c\x0dd"),
        ("\x7f\x80\x9f\xa0", "\\x7f\\x80\\x9f\xa0"),
        ("gpj.\u202exe", r"gpj.\u202exe"),
        ("\u2066\u2069\u200f\u061c\u2028", r"\u2066\u2069\u200f\u061c\u2028"),
        (b"caf\xe9.pcap".decode(errors="surrogateescape"), r"caf\xe9.pcap"),
    ],
)
def test_what_would_control_a_terminal_is_shown_escaped(text, shown):
    assert errors.printable(text) == shown
    assert shown.encode()


def test_the_path_in_a_message_is_printable():
    assert str(NotACaptureError("\x1b]0;x.pcap", reason="it is empty")) == r"\x1b]0;x.pcap: not a capture: it is empty"


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x7fELF\x02\x01\x01", "an ELF program"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04\x14\x00", "a zip archive"),
        (b"btsnoop\0\0\0\0\1\0\0\3\xea", "a btsnoop capture of Bluetooth"),
        (b"\n  <!DOCTYPE html><html>", "an HTML page"),
        (b"captures/a.pcap".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
        # An ERF record of 2023 with an Ethernet frame of 60 bytes.
        (
            bytes(4) + (1_700_000_000).to_bytes(4, "little") + b"\x02\x04\x00\x50\0\0\x00\x3c",
            "probably an Endace ERF capture",
        ),
        (b"id,bytes\n", 'text (its first bytes are 69 64 2c 62, "id,b")'),
        (b"\xde\xad\xbe\xef\x00", "of no known format (its first bytes are de ad be ef)"),
        (b"\xde", "of no known format (its first bytes are de)"),
    ],
)
def test_a_file_that_is_no_capture_is_called_what_it_is(head, what):
    assert magic.describe(head) == what
    assert not magic.is_capture(head)
