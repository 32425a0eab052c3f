# Filter programs from Python: each is checked once, so that it runs without checks.

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from fluxcap.pipeline.filter cimport FilterProgram, Filters, Instruction, is_sound


cdef FilterProgram checked_program(const uint8_t[::1] octets) except *:
    """A copy of a filter program, which the caller frees. ValueError if it would be unsafe to run."""
    cdef FilterProgram program
    cdef uint32_t i
    if octets.shape[0] == 0 or octets.shape[0] % sizeof(Instruction):
        raise ValueError(f"{octets.shape[0]} bytes are not a filter program")
    program.n = <uint32_t>(octets.shape[0] // sizeof(Instruction))
    program.instructions = <Instruction*>malloc(octets.shape[0])
    if program.instructions == NULL:
        raise MemoryError
    memcpy(program.instructions, &octets[0], octets.shape[0])
    for i in range(program.n):
        if not is_sound(&program, i):
            free(program.instructions)
            raise ValueError(f"instruction {i} of the filter program cannot be run")
    return program


cdef int add_program(Filters* f, const uint8_t[::1] octets) except -1:
    """Add the program for another link type. ValueError if it would be unsafe to run."""
    programs = <FilterProgram*>realloc(f.programs, (f.n + 1) * sizeof(FilterProgram))
    if programs == NULL:
        raise MemoryError
    f.programs = programs
    f.programs[f.n] = checked_program(octets)
    f.n += 1
    return 0


cdef void free_filters(Filters* f) noexcept:
    cdef uint32_t i
    for i in range(f.n):
        free(f.programs[i].instructions)
    free(f.programs)
    free(f.inside.instructions)
