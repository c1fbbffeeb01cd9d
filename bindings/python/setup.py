# SPDX-License-Identifier: MIT
"""The extension module. Its C sources stand once in the repository, outside of this folder: they
are copied to c/ when they are there, and an sdist carries that copy."""

import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
SOURCES = {
    "c/picosuit.c": "../../core/picosuit.c",
    "c/picosuit.h": "../../core/picosuit.h",
    "c/shim.c": "../shim.c",
    "c/shim.h": "../shim.h",
    "LICENSE": "../../LICENSE",
}
LIMITED_API = "0x030b0000"  # 3.11: the first with the buffer protocol


def copy_sources() -> None:
    for name, source in SOURCES.items():
        if (HERE / source).exists():
            (HERE / name).parent.mkdir(exist_ok=True)
            shutil.copy2(HERE / source, HERE / name)


class BuildExt(build_ext):
    """With the flags that only some compilers know."""

    def build_extension(self, ext: Extension) -> None:
        if self.compiler.compiler_type != "msvc":
            # no symbol but the module's own, and nothing of this machine in it
            ext.extra_compile_args += ["-std=c99", "-fvisibility=hidden", "-g0"]
        super().build_extension(ext)


copy_sources()
setup(
    ext_modules=[
        Extension(
            "picosuit._picosuit",
            sources=["src/picosuit/_picosuit_wrap.c", "c/shim.c", "c/picosuit.c"],
            depends=["c/shim.h", "c/picosuit.h"],
            include_dirs=["c"],
            define_macros=[
                ("Py_LIMITED_API", LIMITED_API),
                ("PICOSUIT_EXPOSE_PRIMITIVES", "1"),
                ("PICOSUIT_WITH_SWAP", "1"),
                ("PICOSUIT_ED25519_EXPANDED", "1"),
            ],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    cmdclass={"build_ext": BuildExt},
)
