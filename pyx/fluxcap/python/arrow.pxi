# Tables for other libraries without a copy: the Arrow C data and stream interfaces, which data frame libraries read.
# https://arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html
#
# A struct that is handed out holds the Python buffers that it points into until the reader calls `release`, from any
# thread. A reader may move a child out of its parent and release the child separately. Only times may be missing, so
# few arrays have a validity bitmap. fluxcap has this code because no library makes a stream that asks a Python iterator
# for its next batch.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.ref cimport PyObject, Py_DECREF, Py_INCREF
from libc.errno cimport EINTR, EIO, ENOMEM
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef enum:
    MAX_BUFFERS = 3             # validity bitmap, and two for texts: offsets and bytes
    NULLABLE = 2                # ARROW_FLAG_NULLABLE
    UNCOUNTED = -1

cdef struct ArrowSchema:
    const char* format
    const char* name
    const char* metadata
    int64_t flags
    int64_t n_children
    ArrowSchema** children
    ArrowSchema* dictionary
    void (*release)(ArrowSchema*) noexcept
    PyObject* held              # the tuple with the texts above; `private_data`

cdef struct ArrowArray:
    int64_t length
    int64_t null_count
    int64_t offset
    int64_t n_buffers
    int64_t n_children
    const void** buffers
    ArrowArray** children
    ArrowArray* dictionary
    void (*release)(ArrowArray*) noexcept
    ArrowBuffers* held          # `private_data`

cdef struct ArrowBuffers:
    const void* pointers[MAX_BUFFERS]       # the first is the validity bitmap, NULL where no value is missing
    Py_buffer views[MAX_BUFFERS]
    uint32_t n

cdef struct ArrowArrayStream:
    int (*get_schema)(ArrowArrayStream*, ArrowSchema*) noexcept
    int (*get_next)(ArrowArrayStream*, ArrowArray*) noexcept
    const char* (*get_last_error)(ArrowArrayStream*) noexcept
    void (*release)(ArrowArrayStream*) noexcept
    PyObject* held              # a Batches; `private_data`


cdef class Batches:
    """The schema and the batches of a stream, and the error that ended it."""
    cdef object schema
    cdef object iterator
    cdef bytes error


# Handing over -------------------------------------------------------------------------------------------------------

cdef int fill_schema(ArrowSchema* to, tuple node) except -1:
    """Fill in the schema of a field; `node` is (format, name, metadata, nullable, children, dictionary)."""
    cdef bytes format, name, metadata
    cdef ArrowSchema* below
    format, name, metadata, nullable, children, dictionary = node
    memset(to, 0, sizeof(ArrowSchema))
    Py_INCREF(node)
    to.held = <PyObject*>node
    to.release = release_schema
    to.format = <const char*>format
    to.name = <const char*>name
    to.metadata = <const char*>metadata if metadata else NULL
    to.flags = NULLABLE if nullable else 0
    try:
        if children:
            to.children = <ArrowSchema**>allocated(len(children) * sizeof(ArrowSchema*))
        for child in children:
            below = <ArrowSchema*>allocated(sizeof(ArrowSchema))
            to.children[to.n_children] = below
            to.n_children += 1
            fill_schema(below, child)
        if dictionary is not None:
            to.dictionary = <ArrowSchema*>allocated(sizeof(ArrowSchema))
            fill_schema(to.dictionary, dictionary)
    except BaseException:
        release_schema(to)
        raise
    return 0


cdef int fill_array(ArrowArray* to, tuple node) except -1:
    """Fill in an array of values; `node` is (length, buffers, children, dictionary), None for a buffer that is not
    there."""
    cdef ArrowArray* below
    length, buffers, children, dictionary = node
    memset(to, 0, sizeof(ArrowArray))
    to.held = <ArrowBuffers*>allocated(sizeof(ArrowBuffers))
    to.release = release_array
    to.length = length
    to.buffers = to.held.pointers
    try:
        if len(buffers) > MAX_BUFFERS:
            raise ValueError(f"an array has at most {MAX_BUFFERS} buffers, not {len(buffers)}")
        for buffer in buffers:
            if buffer is not None:
                PyObject_GetBuffer(buffer, &to.held.views[to.held.n], PyBUF_SIMPLE)
            to.held.pointers[to.held.n] = to.held.views[to.held.n].buf
            to.held.n += 1
        to.n_buffers = to.held.n
        to.null_count = 0 if to.held.pointers[0] == NULL else UNCOUNTED
        if children:
            to.children = <ArrowArray**>allocated(len(children) * sizeof(ArrowArray*))
        for child in children:
            below = <ArrowArray*>allocated(sizeof(ArrowArray))
            to.children[to.n_children] = below
            to.n_children += 1
            fill_array(below, child)
        if dictionary is not None:
            to.dictionary = <ArrowArray*>allocated(sizeof(ArrowArray))
            fill_array(to.dictionary, dictionary)
    except BaseException:
        release_array(to)
        raise
    return 0


cdef void* allocated(size_t octets) except NULL:
    cdef void* memory = calloc(1, octets)
    if memory == NULL:
        raise MemoryError
    return memory


cdef void release_schema(ArrowSchema* schema) noexcept with gil:
    cdef int64_t i
    for i in range(schema.n_children):
        if schema.children[i].release != NULL:
            schema.children[i].release(schema.children[i])
        free(schema.children[i])
    free(schema.children)
    if schema.dictionary != NULL:
        if schema.dictionary.release != NULL:
            schema.dictionary.release(schema.dictionary)
        free(schema.dictionary)
    schema.release = NULL
    Py_DECREF(<object>schema.held)


cdef void release_array(ArrowArray* array) noexcept with gil:
    cdef int64_t i
    for i in range(array.n_children):
        if array.children[i].release != NULL:
            array.children[i].release(array.children[i])
        free(array.children[i])
    free(array.children)
    if array.dictionary != NULL:
        if array.dictionary.release != NULL:
            array.dictionary.release(array.dictionary)
        free(array.dictionary)
    for i in range(array.held.n):
        PyBuffer_Release(&array.held.views[i])     # nothing, where there is no buffer
    free(array.held)
    array.release = NULL


# Streams ------------------------------------------------------------------------------------------------------------

cdef int stream_schema(ArrowArrayStream* stream, ArrowSchema* to) noexcept with gil:
    cdef Batches batches = <Batches>stream.held
    try:
        fill_schema(to, batches.schema)
        return 0
    except BaseException as error:
        return failed(batches, error)


cdef int stream_next(ArrowArrayStream* stream, ArrowArray* to) noexcept with gil:
    cdef Batches batches = <Batches>stream.held
    try:
        batch = next(batches.iterator, None)
        if batch is None:
            to.release = NULL
        else:
            fill_array(to, batch)
        return 0
    except BaseException as error:  # also Ctrl-C: the reader gets nothing but an error number
        return failed(batches, error)


cdef int failed(Batches batches, error) noexcept:
    try:
        batches.error = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")
        return ENOMEM if isinstance(error, MemoryError) else EINTR if isinstance(error, KeyboardInterrupt) else EIO
    except BaseException:       # another Ctrl-C, during the line above
        batches.error = b"KeyboardInterrupt"
        return EINTR


cdef const char* stream_error(ArrowArrayStream* stream) noexcept with gil:
    cdef Batches batches = <Batches>stream.held
    if batches.error is None:
        return NULL
    return <const char*>batches.error


cdef void release_stream(ArrowArrayStream* stream) noexcept with gil:
    stream.release = NULL
    Py_DECREF(<Batches>stream.held)


# Capsules: a reader moves the struct out and sets `release` to NULL ---------------------------------------------------

cdef void drop_schema(object capsule) noexcept:
    cdef ArrowSchema* schema = <ArrowSchema*>PyCapsule_GetPointer(capsule, "arrow_schema")
    if schema.release != NULL:
        schema.release(schema)
    free(schema)


cdef void drop_stream(object capsule) noexcept:
    cdef ArrowArrayStream* stream = <ArrowArrayStream*>PyCapsule_GetPointer(capsule, "arrow_array_stream")
    if stream.release != NULL:
        stream.release(stream)
    free(stream)


def arrow_schema(tuple schema):
    cdef ArrowSchema* made = <ArrowSchema*>allocated(sizeof(ArrowSchema))
    try:
        fill_schema(made, schema)
        return PyCapsule_New(made, "arrow_schema", drop_schema)
    except BaseException:
        free(made)
        raise


def arrow_stream(tuple schema, batches):
    cdef ArrowArrayStream* made
    cdef Batches held = Batches()
    held.schema = schema
    held.iterator = iter(batches)
    made = <ArrowArrayStream*>allocated(sizeof(ArrowArrayStream))
    made.get_schema = stream_schema
    made.get_next = stream_next
    made.get_last_error = stream_error
    made.release = release_stream
    Py_INCREF(held)
    made.held = <PyObject*>held
    return PyCapsule_New(made, "arrow_array_stream", drop_stream)
