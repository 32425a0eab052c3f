"""The text of `fluxcap --version`: this program, its checksum kernel, and the packages it uses."""

import platform
from importlib.metadata import PackageNotFoundError, version

from fluxcap import _core
from fluxcap.values.libraries import VERSION

PACKAGES = ("numpy", "rich", "isal", "lz4", "backports.zstd", "pandas")


def versions() -> str:
    """The lines; no package is imported to make them."""
    others = ", ".join(kernel for kernel in _core.kernels() if kernel != _core.kernel())
    lines = {
        "fluxcap": VERSION,
        "checksum kernel": f"{_core.kernel()} (others here: {others})" if others else _core.kernel(),
        "python": platform.python_version(),
        **{name: installed(name) for name in PACKAGES},
    }
    width = max(map(len, lines))
    return "".join(f"{name:{width}}  {value}\n" for name, value in lines.items())


def installed(package: str) -> str:
    """The version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
