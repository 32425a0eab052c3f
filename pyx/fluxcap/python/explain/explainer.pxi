# One packet taken apart for Python: a Demuxer that keeps the record that is asked for.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from fluxcap.base.types cimport (
    Batch, Decoder, Packet, SUM_CRC32C, SUM_NONE, SUM_PSEUDO, VERDICT_BAD, VERDICT_GOOD, VERDICT_PARTIAL)
from fluxcap.checksums.verify cimport verify_batch
from fluxcap.explain.path cimport Path, PathHop, follow_path, stated_length
from fluxcap.explain.sum cimport PSEUDO_MAX, add_words, put_pseudo_header
from fluxcap.explain.target cimport Target, forget_target, free_target, watch
from fluxcap.explain.whole cimport PieceAt, Whole
from fluxcap.layers.cursor cimport NUMBER_MASK, SPACE_MASK, UDP_TUNNEL
from fluxcap.layers.network cimport IPV4_CHECKSUM
from fluxcap.layers.transport cimport ICMP_CHECKSUM, checksum_at

cdef enum:
    GRE_CHECKSUM_AT = 4         # bytes from the beginning of its header
    NO_FIELD = 1                # a place in no sum, which goes by words


cdef dict sum_row(str kind, uint32_t at, uint32_t octets, uint32_t field, bytes pseudo, const uint8_t* data):
    """A sum: where it is taken, its words from the pseudo-header and from the packet, and the sum after each word."""
    cdef uint32_t n = (len(pseudo) + 1) // 2
    cdef bytes words = bytes(2 * (n + (octets + 1) // 2)), sums = bytes(len(words))
    cdef uint16_t* word = <uint16_t*><char*>words
    cdef uint16_t* sum = <uint16_t*><char*>sums
    cdef uint32_t so_far = add_words(<const uint8_t*><char*>pseudo, len(pseudo), NO_FIELD, 0, word, sum)
    add_words(data + at, octets, field, so_far, word + n, sum + n)
    return {"kind": kind, "offset": at, "length": octets, "field": at + field, "pseudo": pseudo,
            "words": memoryview(words).cast("H").tolist(), "sums": memoryview(sums).cast("H").tolist()}


cdef bint is_judged(uint32_t verdict) noexcept:
    """Was a sum taken for this verdict?"""
    return verdict == VERDICT_GOOD or verdict == VERDICT_BAD or verdict == VERDICT_PARTIAL


cdef list sums_of(const Packet* p):
    """The sums that the verdicts on a packet come from."""
    cdef uint8_t pseudo[PSEUDO_MAX]
    cdef list sums = []
    cdef uint32_t n = 0
    if is_judged(p.ip_verdict):
        sums.append(sum_row("ip", p.ip_at, p.ip_header_length, IPV4_CHECKSUM, b"", p.data))
    if not is_judged(p.verdict) or p.sum_kind == SUM_NONE or p.sum_kind == SUM_CRC32C:
        return sums
    if p.sum_kind == SUM_PSEUDO:
        n = put_pseudo_header(pseudo, p)
    sums.append(sum_row("transport", p.sum_at, p.sum_length,
                        checksum_at(p.key.protocol) if p.sum_kind == SUM_PSEUDO else ICMP_CHECKSUM,
                        pseudo[:n], p.data))
    return sums


cdef dict judgement(const Packet* p):
    """What the decoder and the checksum stage say of a packet."""
    return {
        "depth": p.depth, "ip_version": p.ip_version, "protocol": p.key.protocol, "src_ip": p.key.src_ip[:16],
        "dst_ip": p.key.dst_ip[:16], "src_port": p.key.src_port, "dst_port": p.key.dst_port,
        "disposition": p.disposition, "reason": p.reason, "payload_length": p.payload_length,
        "ip_at": p.ip_at, "ip_length": p.ip_length, "length_lies": bool(p.length_lies),
        "ip_verdict": p.ip_verdict, "ip_checksum": p.ip_checksum, "ip_expected": p.ip_expected,
        "verdict": p.verdict, "checksum": p.checksum, "expected": p.expected, "gre_verdict": p.gre_verdict,
        "transport_at": p.sum_at, "covered": p.sum_length, "crc": p.sum_kind == SUM_CRC32C,
        "fragmented": bool(p.fragmented), "fragment_offset": p.fragment_offset, "fragment_length": p.fragment_length,
        "fragmented_around": p.fragmented_around, "tcp_flags": p.tcp_flags, "sums": sums_of(p),
    }


cdef dict header_row(str kind, uint32_t depth, uint32_t at, bytes octets, uint32_t length):
    title, layer, _ = HEADERS.get(kind, (kind.replace("_", " "), "link", ""))
    return {"kind": kind, "title": title, "layer": layer, "depth": depth, "offset": at, "length": length,
            "captured": len(octets), "hex": octets.hex(" "), "fields": header_fields(kind, octets)}


cdef class Explainer(Demuxer):
    cdef Target target

    def __cinit__(self, **options):
        self.target.demux = &self.demux
        self.target.whole.decoder = &self.line.decoder
        self.line.lane = False
        self.line.tap = watch
        self.line.tapped = &self.target

    def __dealloc__(self):
        free_target(&self.target)

    def look_for(self, uint64_t packet, uint32_t in_file=0):
        with self.claim:
            forget_target(&self.target)
            self.target.number, self.target.file = packet, in_file

    def explained(self):
        cdef Target* t = &self.target
        with self.claim:
            if not t.there:
                return None
            judged = self.judgements()
            return {
                "packet": t.packet.number, "file": t.file, "time": t.packet.time, "offset": t.packet.offset,
                "captured_length": t.packet.captured, "wire_length": t.packet.wire, "link_type": t.packet.link_type,
                "headers": self.headers(&t.packet, judged), "judged": judged,
                "pieces": self.pieces(), "datagram": self.datagram(),
                "before": t.before, "after": t.after,
            }

    cdef dict judged_at(self, const Packet* record, uint32_t depth):
        """The verdicts on a record as it is read down to a depth; None if it has fewer tunnels."""
        cdef Batch* batch = <Batch*>malloc(sizeof(Batch))
        cdef Packet* p
        cdef const Decoder* d = &self.line.decoder
        if batch == NULL:
            raise MemoryError
        p = &batch.packets[0]
        try:
            p[0] = record[0]
            batch.n = 1
            d.decode(p, 1, d.ports, depth, self.target.file, self.reader.anomalies)
            verify_batch(batch, self.line.kernel)
            return None if p.depth < depth else judgement(p)
        finally:
            free(batch)

    cdef list judgements(self):
        """The verdicts on the packet around each tunnel, then on the innermost one."""
        cdef uint32_t depth
        cdef list judged = []
        for depth in range(self.line.decoder.max_depth + 1):
            found = self.judged_at(&self.target.packet, depth)
            if found is None:
                break
            judged.append(found)
        return judged

    cdef list pieces(self):
        """Packet, file, offset and length of each piece of the datagram of the record that has come so far."""
        cdef const Whole* w = &self.target.whole
        cdef const PieceAt* piece
        cdef uint64_t i
        cdef list found = []
        for i in range(w.n if w.serial else 0):
            piece = &w.pieces[i]
            if piece.serial == w.serial:
                found.append((piece.packet, piece.file, piece.offset, piece.length))
        return found

    cdef dict datagram(self):
        """The datagram that the record completes, as a record of raw IP; None if it completes none."""
        if not self.target.whole.there:
            return None
        judged = self.judged_at(&self.target.whole.packet, 0)
        return {"length": self.target.whole.packet.captured, "judged": judged,
                "headers": self.headers(&self.target.whole.packet, [judged])}

    cdef list headers(self, const Packet* record, list judged):
        cdef Path* path = <Path*>malloc(sizeof(Path))
        cdef list found = []
        cdef uint32_t i
        if path == NULL:
            raise MemoryError
        try:
            follow_path(path, record, &self.line.decoder)
            for i in range(path.n):
                found += self.headers_of(&path.hops[i], record.data, i + 1 == path.n, judged)
            return found
        finally:
            free(path)

    cdef list headers_of(self, const PathHop* hop, const uint8_t* data, bint last, list judged):
        """The headers of a step of the walk; none where it read no bytes of its own."""
        cdef str kind = header_kind(hop.what & SPACE_MASK, hop.what & NUMBER_MASK)
        cdef uint32_t length = hop.end - hop.at if hop.end > hop.at else stated_length(hop, data), left
        _, layer, fields = HEADERS.get(kind, ("", "link", ""))
        if hop.end <= hop.at and (hop.what & SPACE_MASK == UDP_TUNNEL or fields == "" or
                                  not last and layer != "transport"):
            return []
        length = max(length, <uint32_t>(fixed_bits(fields) // BITS)) if hop.end <= hop.at else length
        left = hop.captured - hop.at if hop.captured > hop.at else 0
        octets = data[hop.at:hop.at + min(length, left)]
        steps = headers_of_step(kind, octets) if hop.end > hop.at else [(kind, 0, 0)]
        ends = [*[start for _, _, start in steps[1:]], length]
        found = [header_row(kind, hop.depth + deeper, hop.at + start, octets[start:end], end - start)
                 for (kind, deeper, start), end in zip(steps, ends)]
        if kind == "gre" and "checksum" in {field[0] for field in found[0]["fields"]} and hop.depth < len(judged) and \
                is_judged(judged[hop.depth]["gre_verdict"]):
            judged[hop.depth]["sums"].append(
                sum_row("gre", hop.at, hop.wire - hop.at, GRE_CHECKSUM_AT, b"", data))
        return found
