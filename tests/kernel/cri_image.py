#!/usr/bin/env python3
"""cri_image.py PROGRAM OUT.tar NAME:TAG...: an OCI image with one static program as /work, which containerd imports without a registry."""
import hashlib
import io
import json
import sys
import tarfile


def add(tar, name, data, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


def tarred(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data, mode in files:
            add(tar, name, data, mode)
    return out.getvalue()


program, out, *names = sys.argv[1:]
layer = tarred([("work", open(program, "rb").read(), 0o755)])
blobs = {}


def put(kind, data):
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}


top = put("layer.v1.tar", layer)
def manifest(name):   # the label makes each name an image of its own
    config = put("config.v1+json", json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/work"], "Labels": {"name": name}},
        "rootfs": {"type": "layers", "diff_ids": [top["digest"]]}}).encode())
    described = put("manifest.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [top]}).encode())
    return dict(described, annotations={"io.containerd.image.name": name})


index = {"schemaVersion": 2, "manifests": [manifest(name) for name in names]}
files = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644), ("index.json", json.dumps(index).encode(), 0o644)]
files += [(f"blobs/sha256/{digest}", data, 0o644) for digest, data in blobs.items()]
with open(out, "wb") as file:
    file.write(tarred(files))
