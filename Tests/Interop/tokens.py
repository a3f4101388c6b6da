"""Tokens as any library makes them, and a broker that wants them."""

import base64
import hashlib
import hmac
import json
import time

SECRET = "an old secret that nobody else may know"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(subject="alice", seconds=600, algorithm="HS256", secret=SECRET, **claims):
    """A token of a subject that is good for so long, signed with a secret."""
    now = time.time()
    claims = {"sub": subject, "iat": int(now), "exp": now + seconds, **claims}
    signed = encode(json.dumps({"alg": algorithm}).encode()) + "." + encode(json.dumps(claims).encode())
    return signed + "." + encode(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))
