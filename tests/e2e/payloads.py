"""What docs/payloads.md says, by whoever has read nothing else: the standard library and jwcrypto."""

import base64
import hashlib
import hmac
import json
import sys


def unpadded(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def key(signing_secret):
    return base64.b64decode(signing_secret.removeprefix("whsec_"), validate=True)


def hkdf(secret, info):
    extracted = hmac.digest(bytes(32), secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def encryption_key(signing_secret):
    from jwcrypto import jwk

    derived = hkdf(key(signing_secret), b"muniment/v1/payload-encryption")
    return jwk.JWK(kty="oct", k=unpadded(derived))


def sign(signing_secret, payload):
    return unpadded(hmac.digest(key(signing_secret), payload.encode(), hashlib.sha256))


def encrypt(signing_secret, kid, payload):
    from jwcrypto import jwe

    header = {"alg": "dir", "enc": "A256GCM"}
    if kid:
        header["kid"] = kid
    token = jwe.JWE(payload.encode(), protected=json.dumps(header))
    token.add_recipient(encryption_key(signing_secret))
    return token.serialize(compact=True)


def decrypt(signing_secret, text):
    from jwcrypto import jwe

    token = jwe.JWE()
    token.allowed_algs = ["dir", "A256GCM"]
    token.deserialize(text, encryption_key(signing_secret))
    return token.payload.decode()


print({"sign": sign, "encrypt": encrypt, "decrypt": decrypt}[sys.argv[1]](*sys.argv[2:]), end="")
