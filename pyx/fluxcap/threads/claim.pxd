cdef extern from "threads/claim.h" nogil:
    bint claim(int* held)
    void release_claim(int* held)
