"""Tokens as any library makes them, and ones that no library would make."""

import base64
import hashlib
import hmac
import json
import time

SECRET = "an old secret that nobody else may know"


def encode(data):
    """Bytes, or else a value as JSON, in Base64 for URLs."""
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header, claims, secret=SECRET):
    """Any header and any claims, signed with a secret by HMAC and SHA-256, whatever the header says of that."""
    text = encode(header) + "." + encode(claims)
    secret = secret if isinstance(secret, bytes) else secret.encode()
    return text + "." + encode(hmac.digest(secret, text.encode(), hashlib.sha256))


def token(subject="alice", seconds=600, algorithm="HS256", secret=SECRET, **claims):
    """A token of a subject that is good for so long, signed with a secret."""
    now = time.time()
    return signed({"alg": algorithm}, {"sub": subject, "iat": int(now), "exp": now + seconds, **claims}, secret)


def bearer(*arguments, **claims):
    """The field of a request that shows such a token."""
    return {"Authorization": "Bearer " + token(*arguments, **claims)}
