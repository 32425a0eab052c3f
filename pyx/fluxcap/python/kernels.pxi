# Which checksum kernel runs; and its sums as Python functions, so that one kernel can be tried.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

import os

from fluxcap.base.bytes cimport net16
from fluxcap.capture.window cimport WINDOW
from fluxcap.checksums.verify cimport KERNELS_MAX, KernelRow, SumJob, SumKernel, crc32c_update, fold, list_kernels

cdef KernelRow kernel_rows[KERNELS_MAX]
cdef size_t n_kernels = list_kernels(kernel_rows)
cdef KernelRow chosen


cdef KernelRow* find_kernel(str name) except NULL:
    cdef size_t i
    for i in range(n_kernels):
        if kernel_rows[i].name.decode() == name:
            if not kernel_rows[i].supported:
                raise ValueError(f"this processor cannot run checksum kernel {name!r}; it has {', '.join(kernels())}")
            return &kernel_rows[i]
    raise ValueError(f"unknown checksum kernel {name!r}; there are {', '.join(kernels())}")


def kernels():
    cdef size_t i
    return tuple([kernel_rows[i].name.decode() for i in range(n_kernels) if kernel_rows[i].supported])


def kernel():
    return chosen.name.decode()


def use_kernel(str name):
    global chosen
    chosen = find_kernel(name)[0]


use_kernel(os.environ.get("FLUXCAP_KERNEL") or kernels()[0])


def ones_sum(const uint8_t[::1] data, str kernel=None):
    cdef SumKernel run = (find_kernel(kernel)[0] if kernel else chosen).run
    cdef SumJob job
    cdef size_t at = 0, left = data.shape[0]
    cdef uint64_t sum = 0
    with nogil:
        while left:
            # At most WINDOW bytes at a time: an even number, and few enough for the 32-bit lanes of a kernel.
            job.at = &data[at]
            job.length = <uint32_t>(left if left < WINDOW else WINDOW)
            job.sum = sum
            run(&job, 1)
            sum = job.sum
            at += job.length
            left -= job.length
    return net16(<uint16_t>fold(sum))


def crc32c(const uint8_t[::1] data):
    return <uint32_t>~crc32c_update(<uint32_t>0xFFFFFFFFU, &data[0] if data.shape[0] else NULL, data.shape[0])
