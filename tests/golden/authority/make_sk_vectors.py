#!/usr/bin/env python3
"""make_sk_vectors.py DIR: security-key vectors as OpenSSH would make them (PROTOCOL.sshsig, PROTOCOL.u2f), in DIR.

No token is needed: the token's half is a few lines here, with python3-cryptography. Each good one is shown to `ssh-keygen -Y
check-novalidate` before it is written, so that a third program agrees. The files are committed; the keys come from fixed scalars, but
ECDSA signatures are random: running this again gives other, equally good files.
"""
import base64
import hashlib
import pathlib
import struct
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

MESSAGE = b"fleet/approval/v1\n" + struct.pack(">Q", 5) + b"hello"
NAMESPACE = b"fleetwright"


def string(data):
    return struct.pack(">I", len(data)) + data


def mpint(number):
    data = number.to_bytes((number.bit_length() + 8) // 8, "big")
    return string(data)


class Ed25519:
    name = b"sk-ssh-ed25519@openssh.com"

    def __init__(self):
        self.key = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"sk-ed25519").digest())

    def blob(self, application):
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return string(self.name) + string(raw) + string(application)

    def sign(self, data):
        return string(self.key.sign(data))


class P256:
    name = b"sk-ecdsa-sha2-nistp256@openssh.com"

    def __init__(self):
        self.key = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"sk-p256").digest(), "big"), ec.SECP256R1())

    def blob(self, application):
        point = self.key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        return string(self.name) + string(b"nistp256") + string(point) + string(application)

    def sign(self, data):
        r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return string(mpint(r) + mpint(s))


def signature(token, application=b"ssh:", namespace=NAMESPACE, flags=1, counter=7, hash_name=b"sha512", reserved=b"", version=1):
    digest = hashlib.new(hash_name.decode(), MESSAGE).digest()
    signed = b"SSHSIG" + string(namespace) + string(reserved) + string(hash_name) + string(digest)
    tail = bytes([flags]) + struct.pack(">I", counter)
    data = hashlib.sha256(application).digest() + tail + hashlib.sha256(signed).digest()
    inner = string(token.name) + token.sign(data) + tail
    return b"SSHSIG" + struct.pack(">I", version) + string(token.blob(application)) + string(namespace) + string(reserved) + \
        string(hash_name) + string(inner)


def ssh_keygen_agrees(blob):
    with tempfile.NamedTemporaryFile("w", suffix=".sig") as file:
        text = base64.encodebytes(blob).decode()
        file.write("-----BEGIN SSH SIGNATURE-----\n" + text + "-----END SSH SIGNATURE-----\n")
        file.flush()
        run = subprocess.run(["ssh-keygen", "-Y", "check-novalidate", "-n", NAMESPACE.decode(), "-s", file.name], input=MESSAGE,
                             capture_output=True)
    if run.returncode != 0:
        sys.exit("ssh-keygen disagrees: " + (run.stdout + run.stderr).decode())


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "message.bin").write_bytes(MESSAGE)
    for name, token in (("ed25519", Ed25519()), ("p256", P256())):
        good = {"good": signature(token), "verified_user": signature(token, flags=5),
                "other_application": signature(token, application=b"ssh:acme")}
        for vector, blob in good.items():
            ssh_keygen_agrees(blob)
        bad = {"no_touch": signature(token, flags=0), "other_namespace": signature(token, namespace=b"git"),
               "sha256": signature(token, hash_name=b"sha256"), "reserved": signature(token, reserved=b"x"),
               "version_2": signature(token, version=2), "web_application": signature(token, application=b"https://acme.example")}
        for vector, blob in {**good, **bad}.items():
            (folder / f"{name}.{vector}.sig").write_bytes(blob)
        for key, application in (("key", b"ssh:"), ("other_application.key", b"ssh:acme"), ("web_application.key", b"https://acme.example")):
            (folder / f"{name}.{key}").write_bytes(token.blob(application))


main()
