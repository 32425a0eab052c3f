# From what Python asks for to the plans of the core: the key of a flow table, and what lies beside its rows.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

import os

from fluxcap.base.types cimport KEY_WORDS, Key
from fluxcap.flows.activity cimport activity_stride
from fluxcap.flows.features cimport MAX_FIRST_PACKETS, features_stride, name_stride, payload_stride
from fluxcap.flows.key cimport ABSENT as NO_WORD, KeyPlan, WORD_PORTS, WORD_SRC_MAC
from fluxcap.flows.table cimport FlowRow, Flows, MAX_ROWS, ServerPorts
from fluxcap.pipeline.scan cimport Pipeline
from fluxcap.tables.shards cimport MAX_SHARDS, open_shards


cdef int set_bits(uint8_t* at, int bits) except -1:
    cdef int i
    for i in range(bits):
        at[i // 8] |= 0x80 >> i % 8
    return 0


cdef int plan_key(KeyPlan* plan, key) except -1:
    """Turn field names and prefix lengths into masks over the words of Key."""
    cdef Key v4, v6, kept
    cdef uint64_t* mask_v4 = <uint64_t*>&v4
    cdef uint64_t* mask_v6 = <uint64_t*>&v6
    cdef uint64_t* keep = <uint64_t*>&kept
    cdef uint32_t i
    cdef size_t offset, octets
    memset(plan, 0, sizeof(KeyPlan))
    memset(&v4, 0, sizeof(Key))
    memset(&v6, 0, sizeof(Key))
    memset(&kept, 0, sizeof(Key))
    for name, prefix_v4, prefix_v6 in key["fields"]:
        if name not in KEY:
            raise ValueError(f"unknown key field {name!r}")
        _, offset, octets, _, _ = KEY[name]
        memset(<uint8_t*>&kept + offset, 0xFF, octets)
        if octets == 16:        # an IPv4 address is the last 32 bits of ::ffff:a.b.c.d
            set_bits(<uint8_t*>&v4 + offset, 96 + prefix_v4)
            set_bits(<uint8_t*>&v6 + offset, prefix_v6)
        else:
            memset(<uint8_t*>&v4 + offset, 0xFF, octets)
            memset(<uint8_t*>&v6 + offset, 0xFF, octets)
    plan.interval = key["interval"]
    plan.octets_at = in_packet(&packet_.ip_length) if key.get("ip_octets") else in_packet(&packet_.wire)
    if plan.interval:
        kept.interval = v4.interval = v6.interval = -1
    plan.shape.ip_at = plan.shape.ports_at = plan.shape.mac_at = NO_WORD
    plan.shape.biflow = key["biflow"]
    for i in range(4):
        plan.mask_v4[i] = mask_v4[i]
        plan.shape.prefixes |= mask_v4[i] != mask_v6[i]
    for i in range(<uint32_t>KEY_WORDS):
        if keep[i]:
            plan.word[plan.shape.n] = i
            plan.mask[plan.shape.n] = mask_v6[i]
            if i == 0 and keep[2]:
                plan.shape.ip_at = plan.shape.n
            elif i == WORD_PORTS and kept.src_port and kept.dst_port:
                plan.shape.ports_at = plan.shape.n
            elif i == WORD_SRC_MAC and kept.src_mac[0] and kept.dst_mac[0]:
                plan.shape.mac_at = plan.shape.n
            plan.shape.n += 1
    plan.shape.leading = plan.shape.n > 0 and plan.word[plan.shape.n - 1] == plan.shape.n - 1
    seeds = os.urandom(sizeof(plan.seed))
    memcpy(plan.seed, <const char*>seeds, sizeof(plan.seed))
    return 0


cdef ServerPorts* plan_servers(tuple ports) except NULL:
    """The set of likely server ports; `ports` is (ports of TCP, ports of UDP)."""
    tcp, udp = ports
    cdef ServerPorts* servers = <ServerPorts*>calloc(1, sizeof(ServerPorts))
    cdef uint16_t port
    if servers == NULL:
        raise MemoryError
    for port in tcp:
        servers.tcp[port >> 6] |= <uint64_t>1 << (port & 63)
    for port in udp:
        servers.udp[port >> 6] |= <uint64_t>1 << (port & 63)
    return servers


cdef int plan_shards(Pipeline* line, uint32_t shards) except -1:
    """Divide the flow table into shards, where its plan and what is collected beside it allow that."""
    cdef Flows* flows = &line.flows
    if shards & (shards - 1) or shards > MAX_SHARDS:
        raise ValueError(f"shards are a power of two up to {MAX_SHARDS}, not {shards}")
    # Packet rows have the number of the row of their flow, and a bound is one for all rows, in the order of the input.
    if line.columns.n_columns or line.beside != NULL:
        raise ValueError("packet columns and bytes of packets need one table")
    if line.max_octets or flows.max_rows < MAX_ROWS or flows.max_octets:
        raise ValueError("bounds need one table")
    # The row of the flow in an earlier interval has another key: it may be in another shard.
    if flows.plan.interval and flows.servers != NULL:
        raise ValueError("the direction of a flow in an earlier interval needs one table")
    if not open_shards(flows, shards):
        raise MemoryError
    return 0


cdef uint64_t flow_stride(const KeyPlan* plan) noexcept:
    return sizeof(FlowRow) + plan.shape.n * 8


cdef tuple plan_beside(Flows* flows, key):
    """Plan what lies beside a row: features, activity, first packets, first bytes, name of the server. Gives the fields
    of the first, of the second, and of the last three together."""
    cdef tuple features = (), activity = (), firsts = ()
    flows.first_packets = key.get("splt", 0)
    if flows.first_packets > MAX_FIRST_PACKETS:
        raise ValueError(f"splt is at most {MAX_FIRST_PACKETS}, not {flows.first_packets}")
    flows.describes = bool(key.get("features") or key.get("activity") or flows.first_packets)
    if flows.describes:
        flows.features_stride = features_stride(flows.first_packets)
        features = feature_fields(key["biflow"]) if key.get("features") else ()
        firsts = first_fields(flows.first_packets)
    if key.get("activity"):
        flows.activity_at = <uint32_t>flows.features_stride
        flows.features_stride += activity_stride()
        activity = activity_fields(key["biflow"])
    if key.get("payload"):
        flows.payload_most = key["payload"][0]
        flows.payload_at = <uint32_t>flows.features_stride
        flows.features_stride += payload_stride(flows.payload_most)
        firsts += payload_fields(flows.payload_at, flows.payload_most)
    if key.get("server_names"):
        flows.name_at = <uint32_t>flows.features_stride
        flows.features_stride += name_stride()
        firsts += name_fields(flows.name_at)
    return features, activity, firsts
