# Looking for the names of servers.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

import os

from fluxcap.base.memory cimport block_resize
from fluxcap.base.types cimport ANSWERS_FORGOTTEN, HEADS_FORGOTTEN, NAMES_NOT_KEPT
from fluxcap.names.learn cimport Names, free_names_of, learn, open_names
from fluxcap.names.store cimport NameStore, name_begin, name_length
from fluxcap.pipeline.ledger cimport Totals
from fluxcap.pipeline.scan cimport Pipeline


cdef Names* look_for_names(Pipeline* line) except NULL:
    """The state of a look for names, which taps the pipeline."""
    cdef Names* names = <Names*>calloc(1, sizeof(Names))
    if names == NULL or not open_names(names):
        free_names_of(names)
        raise MemoryError
    plan_pieces(&names.pieces, line)
    names.pieces.anomalies = names.anomalies
    seeds = os.urandom(sizeof(names.key) + sizeof(names.store.key))
    memcpy(&names.key, <const char*>seeds, sizeof(names.key))
    memcpy(&names.store.key, <const char*>seeds + sizeof(names.key), sizeof(names.store.key))
    line.tap = learn
    line.tapped = names
    names.beside = line.beside
    return names


cdef void tell_names(Totals* totals, const Names* names) noexcept:
    """Tell what was not kept, where names are looked for."""
    if names != NULL:
        totals.anomalies[NAMES_NOT_KEPT] = names.store.not_kept
        totals.anomalies[ANSWERS_FORGOTTEN] = names.answers_forgotten
        totals.anomalies[HEADS_FORGOTTEN] = names.heads.forgotten


cdef Column name_column(const NameStore* s, Column numbers):
    """The names with these numbers, 0 for none, as wide as the longest of them."""
    cdef const uint32_t* number = <const uint32_t*>numbers.data
    cdef Column made = Column.__new__(Column)
    cdef uint32_t width = 1
    cdef uint64_t i
    for i in range(numbers.n):
        if number[i]:
            width = max(width, name_length(s, number[i] - 1))
    made.describe(field("server_name", 0, width, "S"), numbers.n, width)
    made.held = made.octets + 1     # never none
    made.data = <uint8_t*>block_resize(NULL, 0, made.held)
    if made.data == NULL:
        made.held = 0
        raise MemoryError
    memset(made.data, 0, made.octets)
    for i in range(numbers.n):
        if number[i]:
            memcpy(made.data + i * width, s.octets + name_begin(s, number[i] - 1), name_length(s, number[i] - 1))
    return made
