/* The program of the fuzzer: Python runs inside it, and gives the function of the target that FLUXCAP_TARGET names. */

#include <Python.h>

typedef void (*Target)(const uint8_t *octets, size_t size);

static Target target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    Py_InitializeEx(0);
    PyObject *module = PyImport_ImportModule("targets");
    const char *name = getenv("FLUXCAP_TARGET");
    PyObject *address = module ? PyObject_CallMethod(module, "address", "s", name ? name : "") : NULL;
    target = address ? (Target)PyLong_AsVoidPtr(address) : NULL;
    if (target == NULL) {
        PyErr_Print();
        return 1;
    }
    PyEval_SaveThread();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t size)
{
    target(octets, size);
    return 0;
}
