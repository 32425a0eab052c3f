"""An S3 of the tests' own, on the loopback, with a bucket; what moto keeps is in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

BUCKET = "captures"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """The environment in which `s3://captures` is that bucket."""
    import boto3
    import fsspec
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        access = {"AWS_ACCESS_KEY_ID": "visible", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
        boto3.client(
            "s3", "us-east-1", endpoint_url=url, aws_access_key_id="visible", aws_secret_access_key="secret"
        ).create_bucket(Bucket=BUCKET)
        yield {**access, "AWS_ENDPOINT_URL": url}
    finally:
        # Both are kept in this process, for the next server: objects by moto, and by fsspec the way to this one.
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        server.stop()
