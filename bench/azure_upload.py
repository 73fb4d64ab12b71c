"""Uploading a model to Azurite: ours against the SDK's own upload_blob at its best setting, from disk.

    python bench/azure_upload.py [--megabytes 1024] [--rounds 2]

Each run is a process of its own, so that the peak memory is that of one upload. Needs Azurite (`make azure-tools`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SDK = ((4, 8), (8, 32), (8, 64))
"""Settings of the SDK: parallel requests, block size in MB."""


def child(kind: str, path: str, account: str, concurrency: int, block: int) -> None:
    """One upload; prints seconds and peak memory."""
    from mldeploy.provider.azure import arm, blobs
    from mldeploy.provider.azure.model_files import ModelFiles
    from mldeploy.provider.resource import Context

    source = Path(path)
    start = time.perf_counter()
    if kind == "ours":
        files, ctx = ModelFiles(), Context(root=source.parent)
        given = {
            "account_url": account,
            "container": "models",
            "name": f"ours{time.time_ns()}",
            "source": source.name,
        }
        checked = given | files.check(ctx, {}, given)
        start = time.perf_counter()
        files.create(ctx, checked)
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
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "block": blobs.BLOCK}))


def main() -> int:
    """Run all settings in turn and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=2)
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
            best: dict[str, tuple[float, float]] = {}
            for _ in range(arguments.rounds):
                for kind, concurrency, block in [("ours", 0, 0), *(("sdk", *setting) for setting in SDK)]:
                    label = kind if kind == "ours" else f"sdk, {concurrency} x {block} MB"
                    command = [
                        sys.executable,
                        __file__,
                        "--child",
                        kind,
                        str(source),
                        account,
                        str(concurrency),
                        str(block),
                    ]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    found = json.loads(done.stdout.splitlines()[-1])
                    best[label] = min(best.get(label, (1e9, 0)), (found["seconds"], found["peak_mb"]))
                    for blob in blobs.client(account, "models").list_blobs():
                        blobs.client(account, "models").delete_blob(blob.name)
    for label, (seconds, peak) in best.items():
        print(f"{label:20} {arguments.megabytes / seconds:7.0f} MB/s  peak {peak:5.0f} MB")
    fastest = min(seconds for label, (seconds, _) in best.items() if label != "ours")
    print(f"ours is {fastest / best['ours'][0]:.2f} x the SDK's best")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
    else:
        raise SystemExit(main())
