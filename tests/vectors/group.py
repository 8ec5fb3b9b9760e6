#!/usr/bin/env python3
"""A second encoder of the operations of a group, written from docs/protocol/group.md and identity.md alone.

    group.py            computes what stands in group.json once more, from what is said there, and compares
    group.py --write    writes it there

Plain Python: the signatures are made by the formulas of RFC 8032, slowly, and with no care for secrets.
"""
import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent / "group.json"

# ---- Ed25519 (RFC 8032, section 5.1) --------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE_Y = 4 * pow(5, -1, P) % P


def x_of(y):
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    return (x if (x * x - xx) % P == 0 else x * pow(2, (P - 1) // 4, P) % P)


def plus(one, other):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = one, other
    a, b, c, d = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2), 2 * t1 * t2 * D, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = plus(result, point)
        point, scalar = plus(point, point), scalar >> 1
    return result


BASE_X = x_of(BASE_Y)
BASE_X = BASE_X if BASE_X % 2 == 0 else P - BASE_X
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def encoded(point):
    x, y, z, _ = point
    x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def secret(seed):
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254, digest[32:]


def public(seed):
    return encoded(times(secret(seed)[0], BASE))


def sign(seed, label, message):
    """ID-4: over the label, a zero byte, and the message."""
    message = label.encode() + b"\0" + message
    scalar, prefix = secret(seed)
    r = number(prefix, message)
    big_r = encoded(times(r, BASE))
    return big_r + ((r + number(big_r, public(seed), message) * scalar) % L).to_bytes(32, "little")


# ---- CBOR (RFC 8949, section 4.2.1) ---------------------------------------------------------------------------------

def head(major, value):
    for extra, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << 8 * size:
            return bytes([major << 5 | extra]) + value.to_bytes(size, "big")


def cbor(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in sorted(value.items()))


# ---- Operations -----------------------------------------------------------------------------------------------------

def compute(said):
    seeds = {who: bytes.fromhex(seed) for who, seed in said["seeds"].items()}
    people = {who: public(seed) for who, seed in seeds.items()}
    known, group = {}, None

    def value(said):
        if not isinstance(said, dict):
            return said
        (kind, what), = said.items()
        if kind == "person":
            return people[what]
        if kind == "operation":
            return known[what]
        if kind == "hex":
            return bytes.fromhex(what)
        seen, of = known[what["seen"]], people[what["person"]]
        return [seen, sign(seeds[what["signed_by"]], "rohrpost/group/consent/v1", group + of + seen)]

    for op in said["operations"]:
        body = {
            0: op.get("version", 1), 1: bytes.fromhex(op["seed"]) if op["kind"] == 1 else group, 2: people[op["author"]],
            3: sorted(known[p] for p in op["parents"]), 4: known[op["under"]] if op["under"] else None, 5: op["kind"],
            6: [value(a) for a in op["args"]], 7: op["time"]}
        body.update({int(key): bytes.fromhex(more) for key, more in op.get("extensions", {}).items()})
        body = cbor(body)
        name = hashlib.sha256(b"rohrpost/group/operation-id/v1\0" + body).digest()
        group = group or name
        known[op["name"]] = name
        record = cbor([body, sign(seeds[op["author"]], "rohrpost/group/operation/v1", body)])
        op["body"], op["id"], op["record"] = body.hex(), name.hex(), record.hex()
    said["people"] = {who: key.hex() for who, key in people.items()}
    said["group"] = group.hex()
    return said


def main():
    text = HERE.read_text()
    computed = json.dumps(compute(json.loads(text)), indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--write"]:
        HERE.write_text(computed)
    elif computed != text:
        sys.exit("group.json says something else")
    else:
        print(f"{len(json.loads(text)['operations'])} operations")


if __name__ == "__main__":
    main()
