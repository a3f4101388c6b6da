"""A broker that wants tokens for some of its channels."""

import contextlib

from broker import serving
from tokens import SECRET

CONFIGURATION = """\
auth:
  keys: [{secret}]
  grace: 20
channels:
  /open/**: {{publish: everyone, subscribe: everyone}}
  /closed/**: {{publish: granted, subscribe: granted, history: 10, retain: true}}
  /programs/**: {{publish: not-browsers}}
  /never/**: {{publish: nobody, subscribe: nobody, retain: true}}
"""
# What a token says that opens them.
GRANTED = {"publish": ["/closed/**", "/never/**"], "subscribe": ["/closed/**", "/never/**"]}


@contextlib.contextmanager
def guarding(folder):
    """Such a broker, with its files in this folder, until the `with` block ends."""
    (folder / "secret").write_text(SECRET + "\n")
    with serving(folder, CONFIGURATION.format(secret=folder / "secret")) as broker:
        yield broker
