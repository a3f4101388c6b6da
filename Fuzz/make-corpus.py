#!/usr/bin/env python3
"""Writes the hand-made inputs of the corpus: Fuzz/Corpus/<target>/<name>.

Only adds and replaces files of these names; what fuzzing found stays. Each target's source says what the first
bytes of its inputs choose.
"""
import base64
import hashlib
import json
import pathlib
import struct
import zlib

corpus = pathlib.Path(__file__).parent / "Corpus"


def write(target, **inputs):
    folder = corpus / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in inputs.items():
        (folder / name.replace("_", "-")).write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))


def request(*fields, line="GET / HTTP/1.1"):
    return "".join(text + "\r\n" for text in (line, "Host: a", *fields, "")).encode()


def frame(opcode, payload=b"", *, final=True, bits=0, mask=b"\x01\x02\x03\x04", form=None):
    length = len(payload)
    form = form or (length if length < 126 else 126 if length < 65536 else 127)
    head = bytes([(0x80 if final else 0) | bits | opcode, (0x80 if mask else 0) | form])
    if form == 126:
        head += struct.pack(">H", length)
    if form == 127:
        head += struct.pack(">Q", length)
    if mask:
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return head + (mask or b"") + payload


def deflate(*payloads, bits=15, final=False):
    stream = zlib.compressobj(wbits=-bits)
    made = []
    for payload in payloads:
        data = stream.compress(payload) + stream.flush(zlib.Z_FINISH if final else zlib.Z_SYNC_FLUSH)
        made.append(data if final else data[:-4])
    return made


upgrade = ("Upgrade: websocket", "Connection: keep-alive, Upgrade")
key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
hybi = (*upgrade, key, "Sec-WebSocket-Version: 13")
hixie76 = (
    "Upgrade: WebSocket", "Connection: Upgrade", "Origin: http://a", "Sec-WebSocket-Protocol: a",
    "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5", "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00",
)
hixie75 = ("Upgrade: WebSocket", "Connection: Upgrade", "Origin: http://a", "WebSocket-Protocol: a")
body = b"^n:ds[4U"


def accept_of_client():
    """The answer to FuzzSupport's client, whose key is always the same: two numbers of SplitMix64 from 1 on."""
    state, made = 1, b""
    for _ in range(2):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        bits = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
        made += struct.pack("<Q", bits ^ bits >> 31)
    key = base64.b64encode(made) + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(key).digest()).decode()


response = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_of_client()}")


def answer(*fields, status="101 Switching Protocols"):
    return "".join(text + "\r\n" for text in (f"HTTP/1.1 {status}", *fields, "")).encode()


server, client, none = b"\x00\x00", b"\x01\x00", b"\x00"
write(
    "FuzzHead",
    hybi_13=server + request(*hybi, "Sec-WebSocket-Protocol: b, a", "Origin: http://a") + frame(1, b"x"),
    hybi_08=server + request(*upgrade, key, "Sec-WebSocket-Version: 8", "Sec-WebSocket-Origin: http://a"),
    hybi_unknown=server + request(*upgrade, key, "Sec-WebSocket-Version: 99"),
    hybi_extension=b"\x22\x00" + request(*hybi, 'Sec-WebSocket-Extensions: permessage-deflate; x="\\"", foo'),
    hybi_late=b"\x04\x04" + request(*hybi) + frame(9, b"early") * 2,
    hixie_76=server + request(*hixie76) + body + b"\x00hi\xff",
    hixie_75=server + request(*hixie75, "X-Forwarded-Proto: https") + b"\x00hi\xff",
    http=server + b"\r\n\r\n" + request("Content-Length: 3", line="POST /bayeux HTTP/1.1") + b"abc",
    http_10=b"\x08\x03" + request(line="GET /?a=b HTTP/1.0"),
    post=server + request(*hybi, line="POST / HTTP/1.1"),
    many=b"\x00\x02" + request("A: 1", "B:2", "C:\t3 ", "D:", "E: 5"),
    long=b"\x00\x01" + request("A: " + "x" * 300),
    silence=b"\x08\x00" + request(*hybi)[:-2],
    invalid=server + b"GET / HTTP/1.1\nHost: a\n\n",
    response=client + answer(*response) + frame(1, b"x", mask=b""),
    response_lax=client + b"\r\n" + answer("upgrade: WebSocket", "connection: a,upgrade", response[2], status="101"),
    response_subprotocol=client + answer(*response, "Sec-WebSocket-Protocol: a"),
    response_deflate=b"\x21\x00" + answer(*response, "Sec-WebSocket-Extensions: permessage-deflate"),
    response_wrong_key=client + answer(*response[:2], "Sec-WebSocket-Accept: x"),
    response_404=b"\x09\x00" + answer("Content-Length: 0", status="404 Not Found"),
)

text, deflated = deflate(b"Hello")[0], deflate(b"Hello", b"Hello")
frames = {
    "text": frame(1, "grüß €𝄞".encode()),
    "binary": frame(2, bytes(range(200))),
    "fragments": frame(1, b"gr\xc3", final=False) + frame(9, b"p") + frame(0, b"\xbc", final=False) + frame(0, b""),
    "fragments_binary": frame(2, b"a" * 126, final=False) + frame(0, b"b" * 126, final=False) + frame(0, b"c"),
    "empty": frame(1) + frame(2) + frame(9) + frame(10) + frame(8),
    "pings": frame(9, b"x" * 125) + frame(10, b"a") + frame(10),
    "close": frame(8, struct.pack(">H", 1001) + "fertig ✓".encode()) + frame(9, b"late"),
    "close_short": frame(8, b"\x03"),
    "close_code": frame(8, struct.pack(">H", 1006)),
    "close_text": frame(8, struct.pack(">H", 1000) + b"\xff"),
    "bad_text": frame(1, b"ok\xed\xa0\x80"),
    "bad_opcode": frame(3), "bad_bits": frame(1, b"x", bits=0x20), "bad_continuation": frame(0, b"x"),
    "bad_control": frame(9, b"x" * 126), "bad_fragment": frame(9, b"x", final=False),
    "bad_order": frame(1, b"x", final=False) + frame(2, b"y"),
    "long_form": frame(1, b"x", form=126) + frame(1, b"y", form=127),
    "huge": bytes([0x82, 0xFF]) + b"\xff" * 8 + b"\0\0\0\0",
    "unmasked": frame(1, b"x", mask=b""),
}
for name, data in frames.items():
    write("FuzzFrames", **{f"server_{name}": b"\x00\x00" + data, f"owner_{name}": b"\x1c\x00" + data})
    if "pings" not in name:
        write("FuzzFrames", **{f"small_{name}": b"\x44\x03" + data})
for name in ("text", "fragments", "close", "pings"):
    write("FuzzFrames", **{f"client_{name}": b"\x15\x00" + frames[name]})
write(
    "FuzzFrames",
    client_plain=b"\x01\x00" + frame(1, b"hi", mask=b"") + frame(9, b"p", mask=b"") + frame(8, b"\x03\xe8", mask=b""),
    deflated=b"\x02\x00" + frame(1, deflated[0], bits=0x40) + frame(1, deflated[1], bits=0x40) + frame(1, b"plain"),
    deflated_single=b"\xa6\x00" + frame(1, text, bits=0x40) + frame(2, text, bits=0x40),
    deflated_fragments=b"\x26\x00" + frame(1, text[:3], bits=0x40, final=False) + frame(9) + frame(0, text[3:]),
    deflated_client=b"\x07\x00" + frame(1, text, bits=0x40, mask=b"") + frame(1, b"\x00", bits=0x40, mask=b""),
    deflated_bomb=b"\x02\x02" + frame(2, deflate(b"\0" * 100_000)[0], bits=0x40),
    deflated_broken=b"\x02\x00" + frame(1, b"\xff\xff", bits=0x40),
    deflated_bad_text=b"\x02\x00" + frame(1, deflate(b"\xff")[0], bits=0x40),
)

options = bytes(8)
write(
    "FuzzExtensionHeader",
    flag=options + b"permessage-deflate",
    offers=options + b"permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate",
    window=b"\x01\x01\x02\x00\x02\x03\x01\x01"
    + b"permessage-deflate;client_max_window_bits=12;server_no_context_takeover",
    quoted=options + b'a; b="c\\"d \\\\ e"; f="10"; g="", b',
    numbers=options + b"a; b=1; b=-2; b=0.5; b=007; b=1e3; c=99999999999999999999; d=0.00001; e=-0",
    repeated=options + b"a; b; b; b=c, a; b=d ,b\t;\tc",
    response=options + b"a; x=1, permessage-deflate; client_max_window_bits=9, b",
    window_15=b"\x00\x00\x00\x00\x00\x00\x04\x00", malformed=options + b"a; b = c", trailing=options + b"a,", empty=options, open=options + b'a; b="c',
)


def messages(*payloads, trips=()):
    made = b"".join(bytes([len(payload)]) + payload for payload in payloads)
    return made + b"".join(bytes([0x80 | len(trip)]) + trip for trip in trips)


plain = b"\x00\x07\x00\x00\x07\x00"
write(
    "FuzzInflate",
    hello=plain + messages(text), twice=plain + messages(*deflated), empty=plain + messages(b"\x00", b"", text),
    single=b"\x01\x07\x00\x00\x07\x00" + messages(text, text),
    final=plain + messages(*deflate(b"Hello", final=True), text),
    window=b"\x00\x01\x00\x00\x07\x00" + messages(*deflate(b"abc" * 300, b"abc" * 9, bits=9)),
    bomb=b"\x00\x07\x04\x00\x07\x00" + messages(*deflate(b"\0" * 50_000)),
    at_bound=b"\x00\x07\x03\x00\x07\x00" + messages(*deflate(b"a" * 100, b"a" * 101)),
    stored=plain + messages(b"\x00\x05\x00\xfa\xffHello\x00"),
    broken=plain + messages(b"\xff\xff\xff"), half=plain + messages(text[:3]),
    trips=plain + messages(trips=(b"Hello", b"Hello", b"", b"a" * 100)),
    trips_small=b"\x03\x01\x00\x0a\x00\x01" + messages(trips=(b"abcabcabc" * 9, b"abcabcabc" * 9)),
    trips_stored=b"\x02\x07\x00\x01\x08\x04" + messages(trips=(b"Hello", b"Hello")),
    mixed=plain + messages(deflated[0], trips=(b"x",)) + messages(deflated[1]),
)

write(
    "FuzzHixie",
    text_76=b"\x00\x00" + body + b"\x00hi\xff\x00gr\xc3\xbc\xff", text_75=b"\x01\x00" + b"\x00hi\xff\x41x\xff",
    close_76=b"\x00\x00" + body + b"\x00hi\xff\xff\x00\x00late\xff", close_75=b"\x01\x00" + b"\xff\x00\x00on\xff",
    skipped=b"\x00\x00" + body + b"\x80\x03\xff\xff\xff\x81\x00" + b"x" * 128 + b"\x00hi\xff",
    not_utf8=b"\x04\x00" + body + b"\x00\xc3\x28\xed\xa0\x80\xff",
    too_long=b"\x00\x02" + body + b"\x00" + b"x" * 17 + b"\xff", at_bound=b"\x01\x02" + b"\x00" + b"x" * 16 + b"\xff",
    huge=b"\x01\x00" + b"\x80" + b"\xff" * 12 + b"\x00", half=b"\x60\x00" + body[:5],
    early=b"\x30\x00" + body + b"\x00a\xff", owner=b"\x0c\x00" + body + b"\x00a\xff\x00b\xff",
    echo=b"\x05\x00" + b"\x00a\xff\x00b\xff",
    head_76=b"\x82\x00" + request(*hixie76) + body + b"\x00hi\xff",
    head_75=b"\x06\x00" + request(*hixie75, "HTTPS: on") + b"\x00hi\xff",
    bad_keys=b"\x02\x00" + request(*hixie76[:4], "Sec-WebSocket-Key1: 1", "Sec-WebSocket-Key2: 4294967296 "),
    no_key=b"\x02\x00" + request(*hixie76[:5]),
)

opened = b"\x02\x00\x03"
write(
    "FuzzDriver",
    server=none + opened + b"\x45abcd\x36" + b"\x00\x08" + frame(1, b"hi") + b"\x19\x0b",
    server_deflate=b"\x02\x02\x01\x03\x45abcd\x0d" + bytes([0, 6 + len(text)]) + frame(1, text, bits=0x40) + b"\x3eabc",
    server_prepared=b"\x02\x02\x02\x03\x3eabc\x4eabcd",
    server_pings=none + opened + b"\x18p\x08\x00\x07" + frame(10, b"p") + b"\x17q",
    server_late=none + b"\x02\x00\x45abcd\x00\x07" + frame(9, b"p") + b"\x03\x0a\xfa",
    refused=none + b"\x02\x00\x6cX-Some: value ab\x04\x64\x0f", deadline=none + b"\x02\x03\xfa\xfa",
    close=none + opened + b"\x89\xfa\x00\x06" + frame(8), http=none + bytes([0, 18]) + b"GET / HTTP/1.1\r\n\r\n\x0f",
    hixie_75=none + b"\x02\x03\x03\x45abcd\x00\x04\x00hi\xff\x3eabc\x09",
    hixie_76=none + b"\x02\x04\x03\x45abcd\x00\x08" + body + b"\x01\x00a\xff\x19\x00\x02\xff\x00",
    client=b"\x01\x03" + b"\x02\x00\x45abcd\x00\x04" + frame(1, b"hi", mask=b"") + b"\x09\x00\x02" + frame(8, mask=b""),
    client_early=b"\x01\x45abcd\x28pp\x03\x02\x00\x00\x04" + frame(10, b"pp", mask=b""),
    client_deflate=b"\x03\x03\x02\x00\x45abcd\x46" + bytes([0, 2 + len(text)]) + frame(1, text, bits=0x40, mask=b""),
    client_gives_up=b"\x01\x03\x09\x02\x00\x0b",
)

write(
    "FuzzEnvelope",
    subscribe='[{"channel":"/meta/subscribe","clientId":"a","subscription":["/a/*","/b/**"],"id":"1"}]',
    connect='{"channel":"/meta/connect","clientId":"a","connectionType":"websocket","id":2,"advice":{"timeout":0}}',
    escapes='[{"channel":"\\/a\\u0062","data":"\\ud834\\udd1e\\n","ext":{"retain":true}}]',
    numbers='[{"id":-0.5e+10,"channel":"/a","data":[0,1e999,[],{},null,false]}]',
    surrogate='{"channel":"\\ud834"}', deep="[" * 70 + "]" * 70, spaces=" [ { } , { } ] ", broken='[{"channel":"/a"',
)

def told(*fields, sender="a", client="~"):
    """A line of FuzzRouter: a message with these members, in the name of a client."""
    return sender + '[{"clientId":"%s",%s}]\n' % (client, ",".join(fields))


def message(channel, *fields, **options):
    return told(f'"channel":"{channel}","id":"1"', *fields, **options)


def connect_of(*fields, connection="websocket", **options):
    return message("/meta/connect", f'"connectionType":"{connection}"', *fields, **options)


live, stored = '"subscription":"/l/*"', '"subscription":["/s/a","/s/**"]'
write(
    "FuzzRouter",
    publish=message("/meta/subscribe", live, sender="b", client="^") + message("/l/a", '"data":{"a":[1]}'),
    stored=message("/s/a", '"data":1', '"ext":{"retain":true,"ttl":5,"receipt":true}') * 6
    + message("/meta/subscribe", stored, '"ext":{"replay":{"/s/a":-2,"/s/**":2}}', sender="b", client="^") + ".....\n",
    lost=message("/meta/subscribe", stored) + "A\n" + message("/s/a", '"data":2', sender="b", client="^") + "A\n"
    + connect_of('"advice":{"timeout":0}') + connect_of('"ext":{"ack":-1}'),
    acknowledged=connect_of('"ext":{"ack":4096}', sender="h", connection="long-polling") + message("/meta/disconnect"),
    handshake='h[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling","x"],'
    '"ext":{"ack":true,"replay":{"/s/a":1},"timesync":{"tc":1,"l":0,"o":-1},"binary":true}}]\n',
    service=message("/service/a", '"data":null') + message("/meta/unsubscribe", stored) + "b[]\nb[{}]\n",
    several="a" + message("/l/a", '"data":1')[1:-2] + "," + connect_of()[2:] + ".\n",
    trace=message("/l/a", '"data":1', '"ext":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'),
)

signature = b"\r\n\r\n\0\r\nQUIT\n"
address = bytes([203, 0, 113, 7, 192, 0, 2, 1, 0, 80, 1, 187])


def binary(command, family, payload, length=None):
    return b"\0" + signature + bytes([command, family]) + struct.pack(">H", len(payload) if length is None else length) + payload


write(
    "FuzzProxyHeader",
    tcp4=b"\0PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\nGET", tcp6=b"\0PROXY TCP6 2001:db8::7 ::1 1 2\r\n",
    unknown=b"\0PROXY UNKNOWN x y z\r\n", endless=b"\0PROXY UNKNOWN " + b"x" * 120, no_cr=b"\0PROXY UNKNOWN\n",
    v2_tcp4=binary(0x21, 0x11, address), v2_tcp6=binary(0x21, 0x21, b"\x20\x01\x0d\xb8" + bytes(32)),
    v2_unix=binary(0x21, 0x31, bytes(216)), v2_local=binary(0x20, 0, b""), v2_local_odd=binary(0x20, 0xFF, b"abc"),
    v2_extensions=binary(0x21, 0x11, address + b"\x04\0\3abc\x02\0\1a\xee\0\0"), v2_cut=binary(0x21, 0x11, address[:11]),
    v2_beyond=binary(0x21, 0x11, address + b"\x04\0\x09abc"), v2_huge=binary(0x21, 0x11, address, 65535),
    v2_version=binary(0x31, 0x11, address), request=b"\0GET / HTTP/1.1\r\n\r\n",
    for_list=b"\x01198.51.100.1, 203.0.113.7:80, 10.2.3.4\n[2001:db8::1]:443", for_unknown=b"\x01203.0.113.7, unknown, 10.1.1.1",
    forwarded=b'\x03for=203.0.113.7;proto=http;host="a,b\\"", For="[2001:db8::7]:1";by=10.0.0.1', for_nothing=b"\x03for=,;,=",
)

write(
    "FuzzProxyConnect",
    connected=none + answer(status="200 Connection established") + b"surplus", refused=none + answer(status="403 Forbidden"),
    asked=none + answer("Proxy-Authenticate: Basic", status="407 Proxy Authentication Required"),
    early=none + answer(status="100 Continue") + answer(status="103 Early Hints", ) + answer(status="204 No Content"),
    too_long=b"\1" + answer("X: " + "x" * 200, status="200 OK"), too_many=b"\2" + answer("A: 1", "B: 2", "C: 3", "D: 4", status="200 OK"),
    old=none + b"HTTP/1.0 200 OK\r\n\r\n", nothing=none, silent=b"\4HTTP/1.1 2", no_http=none + b"SSH-2.0-a\r\n\r\n",
)

write(
    "FuzzTarget",
    poll="/bayeux?message=%5B%7B%22channel%22%3A%22%2Fa%22%7D%5D&jsonp=callback_1.a", bare="/bayeux", below="/bayeux/connect",
    extension="/bayeux.json", script="/bayeux.js", absolute="http://a.example:80/bayeux?x=1#y", authority="https://a?b",
    channel="/channels/a%2Fb/%2a?retain&ttl=1", escapes="/a?%=%zz&%4=%&+=+%2B", empty="", question="?", many="/?a=1&a=2&&=&b",
    form="message=%5B%5D&jsonp=a%2eb",
)

pages = {
    "own": "http://broker.test:8000\nbroker.test:8000", "default_port": "https://broker.test\nbroker.test:443",
    "listed": "https://app.example", "listed_port": "HTTPS://App.example:443", "loopback": "http://127.0.0.1:3000\nlocalhost:1",
    "local": "http://localhost", "six": "http://[::1]:80\n[::1]", "cut_six": "http://[::1\n[", "null": "null\nbroker.test",
    "longer": "https://app.example.evil.example", "port_of_letters": "http://localhost:80.evil.example", "none": "",
}
write("FuzzFields", **{f"origin_{name}": "\0" + text for name, text in pages.items()})
write("FuzzFields", **{f"referer_{name}": "\2" + text.replace("\n", "/a?b#c\n") for name, text in pages.items()})
write(
    "FuzzFields",
    date="\1Sun, 06 Nov 1994 08:49:37 GMT", old_date="\1Sunday, 06-Nov-94 08:49:37 GMT", asctime="\1Sun Nov  6 08:49:37 1994",
    far_date="\1Fri, 31 Dec 9999 23:59:60 GMT", no_date="\1Sun, 99 Foo -1 99:99:99 GMT",
)

objects = {
    "plain": ('{"alg":"HS256"}', '{"sub":"alice","exp":1700003600}'),
    "full": (
        '{"alg":"ES256","kid":"a","typ":"JWT","crit":["x"]}',
        '{"sub":"a","exp":1.5e9,"nbf":1,"iat":-1,"iss":"i","aud":["a","b"],"jti":"j","publish":["/a/**"],'
        '"subscribe":[],"admin":true}',
    ),
    "numbers": ('{"alg":"HS256","x":1e300,"y":-0,"z":[1e19]}', '{"sub":"a","exp":1e308,"nbf":1e-400,"x":123456789012345678901}'),
    "twice": ('{"alg":"a","alg":"b"}', '{"sub":"a","\\u0073ub":"b"}'),
    "types": ('{"alg":1,"kid":{}}', '{"sub":null,"aud":"a","publish":"/a","admin":1}'),
}
write("FuzzToken", **{name: "\0" + "\n".join(pair) for name, pair in objects.items()})
write("FuzzToken", **{
    f"encoded_{name}": "\1" + ".".join(base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in pair)
    for name, pair in objects.items()
})  # fmt: skip


def texts(choice, *parts):
    """An input of FuzzHeaders."""
    return bytes([choice]) + b"\xff".join(part if isinstance(part, bytes) else part.encode() for part in parts)


asked = ("/bayeux", "broker.test:8000", "http://app.example")
crlf = "\r\nSet-Cookie: a=b\r\n\r\n<html>"
for number, name in enumerate(("hybi", "hixie_76", "hixie_75")):
    write("FuzzHeaders", **{
        name: texts(number, *asked, "bayeux", "bayeux", "permessage-deflate", "https", "X-A", "b"),
        f"{name}_deflate": texts(number | 0x18, *asked, "", "", "permessage-deflate; client_max_window_bits=10"),
        f"{name}_target": texts(number, "/" + crlf, *asked[1:]), f"{name}_host": texts(number, "/", "a" + crlf, "b"),
        f"{name}_origin": texts(number, "/", "a", "http://b" + crlf), f"{name}_nul": texts(number, "/\0", "a\0", "b\0"),
        f"{name}_subprotocol": texts(number, *asked, "a" + crlf, "a" + crlf),
        f"{name}_extension": texts(number | 8, *asked, "", "", "permessage-deflate; client_max_window_bits=8" + crlf),
        f"{name}_field": texts(number, *asked, "", "", "", "", "X-A" + crlf, "b" + crlf),
        f"{name}_no_utf8": texts(number, b"/\xe2\x80", b"\xc4\x8d", b"\xc4\x8a"),
    })  # fmt: skip
write(
    "FuzzHeaders",
    refusal=texts(3, "403", "Origin http://a" + crlf + " is not allowed"), refusal_426=texts(3, "426", "no", "X-A", "b"),
    refusal_405=texts(3, "405", "no", "Allow", "GET"), refusal_field=texts(3, "500", "", "Retry-After", "1" + crlf),
    refusal_name=texts(3, "500", "", "A: b\r\nC", "1"), refusal_reserved=texts(3, "500", "", "Content-Length", "1"),
    client=texts(0x0C, "wss://u:p@a.example:8443/a?b", "bayeux", "X-A", "b"), client_path=texts(4, "ws://a/" + crlf),
    client_host=texts(4, "ws://a" + crlf + "/"), client_user=texts(4, "ws://a%0d%0aB: c@a/"), client_six=texts(4, "ws://[::1]:1"),
    client_subprotocol=texts(4, "ws://a/", "a, b" + crlf), client_token=texts(4, "ws://a/", "", "Authorization", "Bearer a" + crlf),
    client_replaces=texts(4, "ws://u:p@a/", "", "Authorization", "Bearer a"), client_escaped=texts(4, "ws://a/%0d%0aA:b"),
    proxy=texts(5, "ws://a/", "http://u:p@b:3128", "X-A", "b"), proxy_field=texts(5, "ws://a/", "http://b", "X-A", crlf),
    proxy_reserved=texts(5, "ws://a/", "http://b", "Proxy-Connection", "close"), proxy_url=texts(5, "ws://a", "http://b" + crlf),
    proxy_replaces=texts(5, "ws://a/", "http://u:p@b", "Proxy-Authorization", "Basic a"),
    origin=texts(6, "https://app.example"), origin_own=texts(6, "http://broker.test:8000", "broker.test:8000"),
    origin_lines=texts(6, "http://a" + crlf, "a" + crlf), origin_nul=texts(6, "http://localhost\0", "localhost\0"),
    origin_letter=texts(6, "http://bro\u212aer.test", "broker.test"), origin_blank=texts(6, "http://a b", "a b"),
)

# The public keys of FuzzKeySet's tokens.
rsa = dict(
    kty="RSA",
    n=(
        "j__1k89EjUooKPmuw8TuMVrAnAdwxe49tnwqebVacPZVoq-4LaAc-q9orzZEl63ERyqpoeN1CDw6dOcOdI-6V1Swk6UGhbXLkMVq"
        "thwZ1VqtaYGqVPVvUAizhzcraLDJK_bcM0ydH-Ow0yjB89fjviGryC7kcSEv5NmQfug52egXLmkg7UTpaNPdYQxY8finQPQenwTt"
        "Ppd0pLWJadEWrY3_AYycTpDLYnAj_O_lr7PgKZMH8G-JM-65xy33plkX6mAvWss8mj6IGAizevuKJWNvQK-00aHc4xfnElkQjnhB"
        "HVa5zZpKw8inNIgPrt_1q7_SBNqz2svEtAAIziCmvQ"
    ),
    e="AQAB",
)
ec = dict(
    kty="EC",
    crv="P-256",
    x="Fcp_sPIZJYcMUDUCA7RA-JBG1x0fjnVg_RXLa0988CU",
    y="6jWOepJnPDsyvCvNwdtnnSy4dKyAlpxtYjav_iAsH4I",
)
ed = dict(
    kty="OKP",
    crv="Ed25519",
    x="fuWCJbdTWQBPZc5hP43OglHYgRoLG4-bBC8jTDjf2MA",
)


def jwk(key, **members):
    return json.dumps(key | members, separators=(",", ":"))


def key_set(*members):
    return '{"keys":[' + ",".join(members) + "]}"


short, secret = "AQAB" * 8, base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
answers = {
    "rsa": key_set(jwk(rsa, kid="a", use="sig", alg="RS256")), "ec": key_set(jwk(ec, kid="b", use="sig")), "ed": key_set(jwk(ed)),
    "bare": jwk(ec, kid="b"), "several": key_set(jwk(ec), jwk(ed), jwk(ec, use="enc"), jwk(ed, alg="EdDSA", kid="\u00e9")),
    "private_ec": key_set(jwk(ec, d=secret)), "private_ed": key_set(jwk(ed, d=secret)), "no_point": key_set(jwk(ec, y=ec["x"])),
    "short_point": key_set(jwk(ec, x="AQ", y="AQ")), "short_ed": key_set(jwk(ed, x="AQ")), "short_rsa": key_set(jwk(rsa, n=short)),
    "even_rsa": key_set(jwk(rsa, n="gg" * 170)), "exponent": key_set(jwk(rsa, e="AQ")), "huge_exponent": key_set(jwk(rsa, e="_" * 40)),
    "private_rsa": key_set(jwk(rsa, n=short, d="Aw")), "primes": key_set(jwk(rsa, n=short, d="Aw", p="Aw", q="AA")),
    "other_algorithm": key_set(jwk(rsa, alg="RS512"), jwk(ec, alg="RS256")), "secret": key_set(jwk(dict(kty="oct", k=secret))),
    "other_curve": key_set(jwk(ec, crv="P-384"), jwk(ec, crv="P-256K"), jwk(ed, crv="Ed448"), jwk(ed, crv="X25519")),
    "types": '{"keys":[null,1,"a",[],{"kty":1},{"kty":"EC","x":null},{"kid":{}}]}', "none": key_set(), "html": "<html>",
    "no_base64": key_set(jwk(ec, x="*" * 43)), "repeated": '{"keys":[],"keys":[' + jwk(ec) + "]}", "deep": "[" * 600,
    "kid_types": key_set(jwk(ec, kid=1), jwk(ec, kid=None), jwk(ec, use=1)), "many": key_set(*["{}"] * 200), "numbers": '{"keys":1e999}',
}
write("FuzzKeySet", **{name: "\0" + text for name, text in answers.items()})
for number, name in enumerate(("rsa", "ec", "ed")):
    write("FuzzKeySet", **{f"known_{name}": bytes([1 << number])})
beside = ",".join((jwk(ec, y=ec["x"]), jwk(ed, x="AQ"), jwk(rsa, n=short), "{}"))
write("FuzzKeySet", known=b"\7", known_beside_bad_ones="\6" + beside, known_twice="\2" + jwk(ec, kid="b"), known_replaced='\2{}],"keys":[')


def reply(kind, channel, *fields, successful="true", request="~"):
    """A line of FuzzReplies: the answer to a request."""
    text = [f'"channel":"{channel}"', f'"id":"{request}"', f'"successful":{successful}', *fields]
    return kind + "[{" + ",".join(text) + "}]\n"


def delivered(channel, *fields):
    return 'm[{"channel":"' + channel + '",' + ",".join(fields) + "}]\n"


def advice(reconnect, interval=0):
    return f'"advice":{{"reconnect":"{reconnect}","interval":{interval}}}'


def refused(kind, channel, error, *fields):
    return reply(kind, channel, f'"error":"{error}"', *fields, successful="false")


def stored_as(number, epoch="e"):
    return f'"ext":{{"seq":{number},"epoch":"{epoch}"}}'


shaken = reply("h", "/meta/handshake", '"clientId":"one"', '"ext":{"ack":true}')
asked_for, connected = reply("s", "/meta/subscribe"), reply("c", "/meta/connect")
lifelong = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", b'{"exp":4e9}', b"x"))
no_token, no_session = ("/meta/connect", "401::Token expired"), ("/meta/connect", "401:one:Unknown client")
plays = {
    "session": (0, "+\n*0/a\n" + shaken + asked_for + connected + delivered("/a", '"data":{"b":[1]}', stored_as(1)) + "#\n"
                + reply("d", "/meta/disconnect") + ".\n"),
    "acknowledged": (0x12, reply("c", "/meta/connect", '"ext":{"ack":41}') + reply("c", "/meta/connect", '"ext":{"ack":-1}')),
    "refused": (0, "+\n" + refused("h", "/meta/handshake", "403::no", advice("none"))),
    "refused_for_now": (0, "+\n" + refused("h", "/meta/handshake", "500::no", advice("handshake", 2000)) + "..\n" + shaken),
    "no_client_id": (0, "+\n" + reply("h", "/meta/handshake")), "twice": (0x10, shaken + connected * 2 + asked_for),
    "lost": (0x10, "!\n.\n+\n" + connected + "!\n.\n-\n.\n+\n" + connected), "lost_for_good": (0x18, "!\n" + ".\n-\n" * 3 + "!d\n"),
    "unknown": (0x10, "!\n.\n+\n" + refused("c", *no_session, advice("handshake")) + shaken + asked_for),
    "interval": (0x10, reply("c", "/meta/connect", advice("retry", 500)) + ".\n" + reply("c", "/meta/connect", advice("retry", -1))),
    "huge_interval": (0x10, reply("c", "/meta/connect", advice("retry", "1e300")) + reply("c", "/meta/connect", advice("retry", 2**63 - 1))),
    "advised_none": (0x10, reply("c", "/meta/connect", advice("none"))), "ended": (0x10, refused("c", *no_session, advice("none"))),
    "late_interval": (0x11, reply("c", "/meta/connect", advice("retry", 5000)) + refused("c", *no_session, advice("handshake", 9000)) + "......\n"),
    "tokens": (1, "+\n$a\n" + refused("h", "/meta/handshake", "401::no") + "$" + lifelong + "\n" + shaken + refused("c", *no_token)),
    "token_fails": (0x11, refused("c", *no_token, advice("handshake")) + "%\n" + "." * 11 + "\n$b\n" + shaken),
    "token_lasts": (1, "+\n$" + lifelong + "\n" + shaken + refused("c", *no_token, advice("handshake")) + "%\n" + "." * 11 + "\n%!\n"),
    "gap": (0x10, delivered("/a/**", '"ext":{"gap":{"from":1,"to":9,"count":9}}') + delivered("/a/b", '"ext":{"gap":{}}', '"id":"x"')),
    "numbers": (0x10, "".join(delivered("/a/b", '"data":1', stored_as(n)) for n in (5, 5, -1, 2**63 - 1, "1e18", "9e99", '"6"', 6))),
    "other_log": (0x10, delivered("/a/b", '"data":1', stored_as(9)) + delivered("/a/b", '"data":1', stored_as(1, "f")) + asked_for
                  + delivered("/a/b", '"data":1', stored_as(1, "f"))),
    "logs": (0x10, "m[" + ",".join('{"channel":"/a/b","data":1,' + stored_as(n, f"e{n}") + "}" for n in range(12)) + "]\n"),
    "log_without_session": (0x10, delivered("/a/b", '"data":1', stored_as(9)) + refused("c", *no_session, advice("handshake", 500))
                            + delivered("/a/b", '"data":1', stored_as(1, "f")) + ".\n" + shaken),
    "retained": (0x10, delivered("/a/b", '"data":null', '"ext":{"seq":1,"retained":true,"epoch":"\\ud800"}')),
    "replays": (0, "+\n*1/a\n*2/b/*\n*3/c\n" + shaken + asked_for * 3 + delivered("/c", '"data":1', stored_as(6)) + "!\n.\n+\n" + connected),
    "subscription_refused": (0x10, "*0/no\n" + refused("s", "/meta/subscribe", "403:/no:no") + "*0/x\n" + refused("s", "/meta/subscribe", "401::no")),
    "subscription_taken": (0x10, 'm[{"channel":"/meta/unsubscribe","subscription":"/a/**","successful":false,"error":"403::no"}]\n'),
    "unsubscribed": (0x10, "*0/b\n" + asked_for + "/\n" + reply("u", "/meta/unsubscribe") + "/\n!\n.\n+\n" + connected),
    "published": (0x14, ">\n>\n>a\n>a\n" + reply("m", "/a", '"ext":{"seq":7,"matched":2}', request="p0") + reply("m", "/a", request="a")
                  + refused("m", "/a", "407::no").replace("~", "p1") + reply("m", "/a", request="p99999999999999999999") + "!\n.\n+\n" + connected),
    "services": (0x10, "?\n" + reply("v", "/service/x", '"data":{"a":1}') + "?\n" + refused("v", "/service/x", "403::no") + "?\n!\n?\n"),
    "answers_with_data": (0x10, 'c[{"channel":"/meta/connect","id":"~","data":1}]\n'), "bare": (0x10, 'c{"id":"~"}\nc{}\nc[]\nm[{"id":1}]\n'),
    "html": (0x10, "m<html>\n"), "binary": (0x10, b'm[{"channel":"/a/\xff","data":"\xc3","ext":{"seq":1,"epoch":"\xff"}}]\n'),
    "late": (0x10, "#\n" + connected + delivered("/a/b", '"data":1', stored_as(1, "f")) + "...\n" + connected + "m<\n!\n+\n"),
    "closed_early": (0, "*0/a\n?\n>\n#\n+\n"), "refused_connection": (0, "-\n.\n-d\n"), "no_bayeux": (0x10, "!p\n"),
}
write("FuzzReplies", **{
    name: bytes([flags]) + (text if isinstance(text, bytes) else text.encode()) for name, (flags, text) in plays.items()
})  # fmt: skip
