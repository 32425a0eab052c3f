# Names for the codes of the core.

from fluxcap.base.sequence cimport FAR as FAR_VALUE
from fluxcap.base.times cimport NO_TIME as NO_TIME_VALUE
from fluxcap.base.tunnels cimport TUNNEL_KINDS_END
from fluxcap.base.types cimport ANOMALIES_END, DIRECTIONS_END, DISPOSITIONS_END, REASONS_END, VERDICTS_END
from fluxcap.base.types cimport (
    ACKS_UNSEEN as ACKS_UNSEEN_VALUE, AFTER_ACK as AFTER_ACK_VALUE, RESENT as RESENT_VALUE, SHAKEN as SHAKEN_VALUE,
    WAITED as WAITED_VALUE)
from fluxcap.capture.reader cimport DAMAGES_END
from fluxcap.flows.connection cimport BASES_END
from fluxcap.flows.features cimport NAME_BASES_END
from fluxcap.flows.states cimport STATES_END

NO_TIME = NO_TIME_VALUE
FAR = FAR_VALUE
RESENT, SHAKEN, ACKS_UNSEEN, AFTER_ACK = RESENT_VALUE, SHAKEN_VALUE, ACKS_UNSEEN_VALUE, AFTER_ACK_VALUE
WAITED = WAITED_VALUE
VERDICTS = ("none", "good", "bad", "partial", "absent", "illegal", "truncated", "fragment", "bad_length")
DISPOSITIONS = ("counted", "non_ip", "unknown_link", "unknown_transport", "truncated_header", "malformed",
                "orphan_fragment", "filtered", "duplicate")
STATES = ("S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH")
DIRECTION_BASES = ("first", "port", "synack", "syn")
SERVER_NAME_BASES = ("none", "dns", "sni", "http")
REASONS = ("none", "short_link", "short_ip", "short_extension", "short_transport", "wrong_version", "header_length",
           "total_length", "too_many_tags", "too_many_extensions", "too_many_layers",
           "segmentation_offload", "exact", "other_vlan", "other_tunnel", "routed", "other_interface")
DAMAGES = ("none", "empty", "not_a_capture", "file_header_cut", "unsupported_version", "reserved_link_bits",
           "record_header_cut", "record_cut", "caplen_too_big", "block_too_short", "block_too_long", "block_misaligned",
           "block_trailer", "block_cut", "no_interface", "too_many_interfaces", "caplen_past_block", "byte_order_magic",
           "tsresol", "caplen_past_record", "record_too_long", "snoop_link", "joined", "joined_cut", "padding",
           "too_many_strays")
ANOMALIES = ("captured_over_wire", "captured_over_snaplen", "fraction_over_second", "time_went_back",
             "tunnels_too_deep", "datagrams_evicted", "fragments_not_held", "option_overrun", "tsresol_length",
             "errors_not_kept", "refused_tagged", "refused_inside", "without_time", "time_out_of_range",
             "dropped_before", "copies_forgotten", "names_not_kept", "answers_forgotten", "heads_forgotten")
TUNNELS = ("none", "vxlan", "vxlan_gpe", "geneve", "gtp", "teredo", "capwap", "gre", "mpls", "l2tp", "tzsp", "lisp",
           "ayiya")
DIRECTIONS = ("unknown", "inbound", "outbound")
assert len(DIRECTIONS) == DIRECTIONS_END and len(TUNNELS) == TUNNEL_KINDS_END
assert len(VERDICTS) == VERDICTS_END and len(DISPOSITIONS) == DISPOSITIONS_END and len(REASONS) == REASONS_END
assert len(STATES) == STATES_END and len(DIRECTION_BASES) == BASES_END
assert len(SERVER_NAME_BASES) == NAME_BASES_END
assert len(DAMAGES) == DAMAGES_END and len(ANOMALIES) == ANOMALIES_END
