"""Uploading a model to Azurite: ours against the SDK's own upload_blob at its best setting, from disk.

    python bench/azure_upload.py [--megabytes 1024] [--rounds 5] [--json bench/results/azure_upload.json]

Each run is a process of its own, so that the peak memory is that of one upload. Azurite is one process on the same
machine and takes more processor time than either side: the figure that counts is the ratio of two runs, one right
after the other, and of those pairs the median. Needs Azurite (`make azure-tools`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SDK = ((4, 8), (4, 32), (8, 32), (8, 64))
"""Settings of the SDK: parallel requests, block size in MB."""


def child(kind: str, path: str, account: str, concurrency: int, block: int) -> None:
    """One upload; prints seconds and peak memory."""
    from mldeploy.provider.azure import arm
    from mldeploy.provider.azure.model_files import ModelFiles, ModelFilesFields
    from mldeploy.provider.framework.resource import Context

    source = Path(path)
    start, cpu = time.perf_counter(), time.process_time()
    if kind == "ours":
        files, ctx = ModelFiles(), Context(root=source.parent)
        given = {
            "account_url": account,
            "container": "models",
            "name": f"ours{time.time_ns()}",
            "source": source.name,
        }
        decode = ModelFilesFields.decode
        checked = given | files.check(ctx, decode({}), decode(given))
        start, cpu = time.perf_counter(), time.process_time()
        files.create(ctx, decode(checked))
    else:
        from azure.storage.blob import ContainerClient

        size = block << 20
        client = ContainerClient(
            account, "models", credential=arm.credential(), max_block_size=size, max_single_put_size=size
        )
        with source.open("rb") as file:
            client.upload_blob(
                f"sdk{time.time_ns()}", file, length=source.stat().st_size, max_concurrency=concurrency
            )
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak}))


def measure(kind: str, source: Path, account: str, concurrency: int = 0, block: int = 0) -> dict:
    """One upload in a process of its own; the container is empty again afterwards."""
    from mldeploy.provider.azure import blobs

    command = [
        sys.executable, __file__, "--child", kind, str(source), account, str(concurrency), str(block),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    container = blobs.client(account, "models")
    for blob in container.list_blobs():
        container.delete_blob(blob.name)
    return json.loads(done.stdout.splitlines()[-1])


def compare(source: Path, account: str, rounds: int) -> dict:
    """The SDK's best setting first; then it and ours in turn, so that what else the machine does meets both."""
    tried = {setting: measure("sdk", source, account, *setting)["seconds"] for setting in SDK}
    best = min(tried, key=lambda setting: tried[setting])
    pairs = []
    for _ in range(rounds):
        pairs.append((measure("sdk", source, account, *best), measure("ours", source, account)))
        theirs, ours = pairs[-1]
        print(
            f"SDK {best[0]} x {best[1]} MB {theirs['seconds']:.2f} s, ours {ours['seconds']:.2f} s: "
            f"{theirs['seconds'] / ours['seconds']:.2f} x",
            flush=True,
        )
    megabytes = source.stat().st_size / (1 << 20)
    sides = {"sdk": [pair[0] for pair in pairs], "ours": [pair[1] for pair in pairs]}
    return {
        "megabytes": megabytes,
        "sdk_setting": {"parallel": best[0], "block_mb": best[1]},
        "tried_mb_per_s": {f"{c} x {b} MB": round(megabytes / s, 1) for (c, b), s in tried.items()},
        "ratio": round(statistics.median(t["seconds"] / o["seconds"] for t, o in pairs), 2),
        "ratios": [round(t["seconds"] / o["seconds"], 2) for t, o in pairs],
        "median_mb_per_s": {
            side: round(megabytes / statistics.median(r["seconds"] for r in runs), 1)
            for side, runs in sides.items()
        },
        "client_cpu_seconds": {
            side: round(statistics.median(r["cpu"] for r in runs), 2) for side, runs in sides.items()
        },
        "peak_mb": {side: round(max(r["peak_mb"] for r in runs), 1) for side, runs in sides.items()},
    }


def main() -> int:
    """Print the pairs; with --json write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    from tests.azure import azurite, cloud

    if reason := azurite.why_not():
        print(reason)
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cloud").mkdir()
        (folder / "data").mkdir()
        source = folder / "model.bin"
        with source.open("wb") as file:
            for _ in range(arguments.megabytes):
                file.write(os.urandom(1 << 20))
        with (
            cloud.serve(folder / "cloud") as running,
            azurite.serve(folder / "data", running.folder) as account,
        ):
            os.environ |= running.environment() | {
                "MLDEPLOY_BLOB_ENDPOINT": account,
                "MLDEPLOY_HOME": str(folder / "home"),
            }
            from mldeploy.provider.azure import blobs

            blobs.client(account, "models").create_container()
            found = compare(source, account, arguments.rounds)
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "azure-storage-blob": version("azure-storage-blob"),
        **found,
    }
    print(f"ours is {found['ratio']:.2f} x the SDK's best setting; peak {found['peak_mb']['ours']} MB")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
    else:
        raise SystemExit(main())
