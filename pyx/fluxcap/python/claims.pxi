# One thread at a time: a method of an object that changes holds the object's claim while it runs, since the core lets
# the interpreter's lock go in the middle of its work.

from fluxcap.threads.claim cimport claim, release_claim


cdef class Claim:
    """Held while it is entered. A second thread is told so, and changes nothing."""
    cdef int held

    def __enter__(self):
        if not claim(&self.held):
            raise RuntimeError("in use by another thread")

    def __exit__(self, *raised):
        release_claim(&self.held)
