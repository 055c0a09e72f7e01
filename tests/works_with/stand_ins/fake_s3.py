"""target-s3 on moto's server, which keeps the bucket in memory: a folder has its objects between the runs.

The loader is unchanged. The address of the server is added to its settings.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from offline import close_network, data_folder
from target_s3.target import Targets3


def main() -> None:
    """Run the loader, and write the objects of the bucket into the folder of its configuration."""
    close_network()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text("utf-8"))
    account = config["cloud_provider"]["aws"]
    account["aws_endpoint_override"] = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    client = boto3.client(
        "s3",
        endpoint_url=account["aws_endpoint_override"],
        region_name=account["aws_region"],
        aws_access_key_id=account["aws_access_key_id"],
        aws_secret_access_key=account["aws_secret_access_key"],
    )
    folder, bucket = data_folder() / account["aws_bucket"], account["aws_bucket"]
    client.create_bucket(Bucket=bucket)
    for path in (path for path in folder.rglob("*") if path.is_file()):
        client.put_object(Bucket=bucket, Key=path.relative_to(folder).as_posix(), Body=path.read_bytes())
    try:
        Targets3(config=config).listen()
    finally:
        _download(client, bucket, folder)
        server.stop()


def _download(client: Any, bucket: str, folder: Path) -> None:
    """Write the objects that the folder lacks."""
    for entry in client.list_objects_v2(Bucket=bucket).get("Contents", []):
        path = folder / entry["Key"]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())


if __name__ == "__main__":
    main()
