"""What conda packages are called on PyPI, and which have nothing there."""

from __future__ import annotations

WHEEL_NAMES = {
    "dask": "dask[complete]",
    "dask-core": "dask",
    "faiss": "faiss-cpu",
    "graphviz": "graphviz",
    "keras-gpu": "keras",
    "lightgbm-cpu": "lightgbm",
    "matplotlib-base": "matplotlib",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "psycopg2": "psycopg2-binary",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "pytables": "tables",
    "python-flatbuffers": "flatbuffers",
    "python-graphviz": "graphviz",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "ray-core": "ray",
    "ray-default": "ray[default]",
    "ruamel_yaml": "ruamel.yaml",
    "seaborn-base": "seaborn",
    "tensorflow-base": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "tensorflow-mkl": "tensorflow",
    "typing_extensions": "typing-extensions",
}
"""Conda name to wheel name, where they differ."""

_CUDA = "the wheels of GPU frameworks bring their own CUDA libraries; remove the entry"
_SYSTEM = "it is a program or library of the system: put it into a base image"

CONDA_ONLY = {
    "blas": "numpy's and scipy's wheels bring their own; remove the entry",
    "cudatoolkit": _CUDA,
    "cudnn": _CUDA,
    "cupti": _CUDA,
    "nccl": _CUDA,
    "pytorch-cuda": _CUDA,
    "pytorch-mutex": _CUDA,
    "ffmpeg": _SYSTEM,
    "gcc": _SYSTEM,
    "gxx": _SYSTEM,
    "gcc_linux-64": _SYSTEM,
    "gxx_linux-64": _SYSTEM,
    "git": _SYSTEM,
    "mpich": _SYSTEM,
    "nodejs": _SYSTEM,
    "openblas": _SYSTEM,
    "openjdk": _SYSTEM,
    "openmpi": _SYSTEM,
    "r-base": "R scripts are not supported",
    "unixodbc": _SYSTEM,
}

INTERPRETER_PARTS = frozenset(
    [
        "_libgcc_mutex",
        "_openmp_mutex",
        "bzip2",
        "ca-certificates",
        "certifi-base",
        "ld_impl_linux-64",
        "libffi",
        "libgcc",
        "libgcc-ng",
        "libgomp",
        "libnsl",
        "libsqlite",
        "libstdcxx",
        "libstdcxx-ng",
        "libuuid",
        "libxcrypt",
        "libzlib",
        "libexpat",
        "liblzma",
        "ncurses",
        "nomkl",
        "openssl",
        "pip",
        "readline",
        "sqlite",
        "tk",
        "xz",
        "zlib",
    ]
)
"""What `conda env export` lists beside Python itself: every Python has its own."""

SERVED = frozenset(
    {
        "azureml-ai-monitoring",
        "azureml-contrib-services",
        "azureml-defaults",
        "azureml-inference-server-http",
        "azureml-monitoring",
        "azureml-sdk",
    }
)
"""What the scoring server stands in for."""
