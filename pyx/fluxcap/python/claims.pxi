# One thread at a time: a method holds the claim of its object while it runs, because the core releases the lock of the
# interpreter in the middle of its work.

from fluxcap.threads.claim cimport claim, release_claim


cdef class Claim:
    """A lock that does not wait: a second thread gets a RuntimeError, and changes nothing."""
    cdef int held

    def __enter__(self):
        if not claim(&self.held):
            raise RuntimeError("in use by another thread")

    def __exit__(self, *raised):
        release_claim(&self.held)
