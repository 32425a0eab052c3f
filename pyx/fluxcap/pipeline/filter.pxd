# Filters: a classic BPF program accepts or refuses each record. libpcap compiles the program from its filter language,
# for one link type, because offsets count from the start of the record. (McCanne and Jacobson, "The BSD Packet Filter",
# USENIX 1993; what the paper leaves open follows bpf_filter.c of libpcap.)
#
# The machine has an accumulator A, an index register X and scratch memory M[16], all of 32 bits. An instruction:
#   0      2    3    4
#   | code | jt | jf | k |      code: class in bits 0..2; size and mode, or operation and source, in bits 3..7

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from fluxcap.base.bytes cimport be16, be32
from fluxcap.base.types cimport Batch, Packet
from fluxcap.capture.reader cimport Interface, Reader

cdef enum:
    MEMORY_WORDS = 16
    WORD_BITS = 32

cdef enum:                      # bits of a code
    CLASS = 0x07
    ARITHMETIC = 0x04
    JUMP = 0x05
    SOURCE_X = 0x08             # the operand is X, not k
    INDIRECT = 0x40             # a load is from X + k, not k

cdef enum:                      # code
    LD_W_ABS = 0x20             # A = 4 bytes of the record at k,
    LD_H_ABS = 0x28             # ... 2 bytes,
    LD_B_ABS = 0x30             # ... 1 byte
    LD_W_IND = 0x40             # A = bytes at X + k
    LD_H_IND = 0x48
    LD_B_IND = 0x50
    LD_IMM = 0x00               # A = k
    LD_MEM = 0x60               # A = M[k]
    LD_LEN = 0x80               # A = wire length
    LDX_IMM = 0x01
    LDX_MEM = 0x61
    LDX_LEN = 0x81
    LDX_MSH = 0xB1              # X = 4 * (byte at k & 15): the length of an IPv4 header
    STORE_A = 0x02              # M[k] = A
    STORE_X = 0x03              # M[k] = X
    ADD_K = 0x04                # A = A + k
    ADD_X = 0x0C                # A = A + X, and so on
    SUB_K = 0x14
    SUB_X = 0x1C
    MUL_K = 0x24
    MUL_X = 0x2C
    DIV_K = 0x34
    DIV_X = 0x3C
    OR_K = 0x44
    OR_X = 0x4C
    AND_K = 0x54
    AND_X = 0x5C
    LSH_K = 0x64
    LSH_X = 0x6C
    RSH_K = 0x74
    RSH_X = 0x7C
    NEG = 0x84
    MOD_K = 0x94
    MOD_X = 0x9C
    XOR_K = 0xA4
    XOR_X = 0xAC
    JA = 0x05                   # jump over k instructions; backwards if k is negative
    JEQ_K = 0x15                # jump over jt instructions if A == k, else over jf
    JEQ_X = 0x1D
    JGT_K = 0x25
    JGT_X = 0x2D
    JGE_K = 0x35
    JGE_X = 0x3D
    JSET_K = 0x45               # the condition is A & k
    JSET_X = 0x4D
    RET_K = 0x06                # return the number of wanted bytes; 0 refuses the record
    RET_A = 0x16
    TAX = 0x07                  # X = A
    TXA = 0x87

cdef struct Instruction:
    uint16_t code
    uint8_t jt
    uint8_t jf
    uint32_t k

cdef struct FilterProgram:
    Instruction* instructions
    uint32_t n

cdef struct Filters:
    FilterProgram* programs     # one for each link type that occurred
    uint32_t n
    uint32_t lacking            # index of an interface whose records wait for a program
    uint32_t waiting            # number of records in the batch that waits
    FilterProgram inside        # for an IP packet without link header; n = 0: none

cdef inline bint is_sound(const FilterProgram* f, uint32_t at) noexcept nogil:
    """Does run_filter() know this instruction, and does it stay inside the program and the memory?"""
    cdef const Instruction* i = &f.instructions[at]
    cdef uint32_t code = i.code, after = f.n - 1 - at
    if after == 0 or code == RET_K or code == RET_A:
        return code == RET_K or code == RET_A
    elif code == LD_MEM or code == LDX_MEM or code == STORE_A or code == STORE_X:
        return i.k < MEMORY_WORDS
    elif code == DIV_K or code == MOD_K:
        return i.k != 0
    elif code & CLASS == ARITHMETIC:
        return code <= XOR_X and code != NEG | SOURCE_X
    elif code == JA:
        return at + 1 + i.k < f.n               # modulo 2^32, as k may be negative
    elif code & CLASS == JUMP:
        return JEQ_K <= code <= JSET_X and i.jt < after and i.jf < after
    return (code == LD_W_ABS or code == LD_H_ABS or code == LD_B_ABS or code == LD_W_IND or code == LD_H_IND
            or code == LD_B_IND or code == LD_IMM or code == LD_LEN or code == LDX_IMM or code == LDX_LEN
            or code == LDX_MSH or code == TAX or code == TXA)

cdef inline uint32_t run_filter(const FilterProgram* f, const uint8_t* data, uint32_t captured,
                                uint32_t wire) noexcept nogil:
    """The number of wanted bytes of a record. 0 refuses it; so does a load past the captured bytes, or a division by
    zero."""
    cdef uint32_t memory[MEMORY_WORDS]
    cdef uint32_t a = 0, x = 0, operand, turns = 0, code
    cdef uint64_t at
    cdef const Instruction* i = f.instructions
    memset(memory, 0, sizeof(memory))
    while True:
        code = i.code
        operand = x if code & SOURCE_X else i.k
        at = <uint64_t>i.k + (x if code & INDIRECT else 0)
        if code == LD_W_ABS or code == LD_W_IND:
            if at + 4 > captured:
                return 0
            a = be32(data + at)
        elif code == LD_H_ABS or code == LD_H_IND:
            if at + 2 > captured:
                return 0
            a = be16(data + at)
        elif code == LD_B_ABS or code == LD_B_IND:
            if at + 1 > captured:
                return 0
            a = data[at]
        elif code == LDX_MSH:
            if at + 1 > captured:
                return 0
            x = (data[at] & 15) * 4
        elif code == JEQ_K or code == JEQ_X:
            i += i.jt if a == operand else i.jf
        elif code == JGT_K or code == JGT_X:
            i += i.jt if a > operand else i.jf
        elif code == JGE_K or code == JGE_X:
            i += i.jt if a >= operand else i.jf
        elif code == JSET_K or code == JSET_X:
            i += i.jt if a & operand else i.jf
        elif code == JA:
            # `protochain` compiles to a loop over headers. A turn that moves on takes a byte or more of the record, so
            # a loop with more turns than captured bytes would never end.
            turns += <int32_t>i.k < 0
            if turns > captured:
                return 0
            i += <int32_t>i.k
        elif code == RET_K:
            return i.k
        elif code == RET_A:
            return a
        elif code == LD_IMM:
            a = i.k
        elif code == LD_MEM:
            a = memory[i.k]
        elif code == LD_LEN:
            a = wire
        elif code == LDX_IMM:
            x = i.k
        elif code == LDX_MEM:
            x = memory[i.k]
        elif code == LDX_LEN:
            x = wire
        elif code == STORE_A:
            memory[i.k] = a
        elif code == STORE_X:
            memory[i.k] = x
        elif code == ADD_K or code == ADD_X:
            a += operand
        elif code == SUB_K or code == SUB_X:
            a -= operand
        elif code == MUL_K or code == MUL_X:
            a *= operand
        elif code == DIV_K or code == DIV_X:
            if operand == 0:
                return 0
            a //= operand
        elif code == MOD_K or code == MOD_X:
            if operand == 0:
                return 0
            a %= operand
        elif code == OR_K or code == OR_X:
            a |= operand
        elif code == AND_K or code == AND_X:
            a &= operand
        elif code == XOR_K or code == XOR_X:
            a ^= operand
        elif code == LSH_K or code == LSH_X:
            a = a << operand if operand < WORD_BITS else 0
        elif code == RSH_K or code == RSH_X:
            a = a >> operand if operand < WORD_BITS else 0
        elif code == NEG:
            a = 0 - a
        elif code == TAX:
            x = a
        else:                   # TXA: is_sound() accepts no other code
            a = x
        i += 1

cdef inline bint filter_batch(Filters* f, const Reader* r, Batch* batch) noexcept nogil:
    """Set `refused` of each record. False: the records of interface `lacking` wait for a program."""
    cdef Packet* p
    cdef const Interface* interface
    cdef uint32_t n, seen
    for n in range(batch.n):
        p = &batch.packets[n]
        interface = &r.interfaces[p.interface]
        if interface.program == 0:
            f.lacking = p.interface
            f.waiting = batch.n
            return False
        # libpcap reads no byte past the snap length, even where a record has some.
        seen = min(p.captured, interface.snaplen or p.captured)
        p.refused = not run_filter(&f.programs[interface.program - 1], p.data, seen, p.wire)
    return True
