"""The worked example of "How an adapter is made", from that page alone. Writes the values beside this file:

    python3 how_an_adapter_is_made.py
"""

import hashlib
import json
import math
import pathlib
import struct

MASK = (1 << 64) - 1


def field_hash(*texts):
    hashed = hashlib.sha256()
    for text in texts:
        encoded = text.encode()
        hashed.update(struct.pack("<Q", len(encoded)) + encoded)
    return hashed


def digest(*texts):
    return field_hash(*texts).hexdigest()


def number(*texts):
    return int.from_bytes(field_hash(*texts).digest()[:8], "big")


def chacha20(key, block):
    """64 bytes of key stream (RFC 8439), nonce 0."""
    start = (0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), block, 0, 0, 0)
    state = list(start)

    def quarter(a, b, c, d):
        for total, term, target, distance in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[total] = (state[total] + state[term]) & 0xFFFFFFFF
            mixed = state[target] ^ state[total]
            state[target] = (mixed << distance | mixed >> (32 - distance)) & 0xFFFFFFFF

    for _ in range(10):
        for turn in range(2):
            for i in range(4):
                quarter(i, 4 + (i + turn) % 4, 8 + (i + 2 * turn) % 4, 12 + (i + 3 * turn) % 4)
    return struct.pack("<16I", *((mixed + first) & 0xFFFFFFFF for mixed, first in zip(state, start)))


def manifest_digest(entries):
    sums = [0] * 1024
    for name, version in entries:
        key = field_hash("lethe manifest entry", name, version).digest()
        numbers = struct.unpack("<1024H", b"".join(chacha20(key, block) for block in range(1, 33)))
        sums = [(total + number) & 0xFFFF for total, number in zip(sums, numbers)]
    return hashlib.sha256(struct.pack("<1024H", *sums)).hexdigest()


def interactions(n):
    return [(f"u{n}", f"i{(7 * n + 3 * p) % 20}", 1000 + 10 * p + n, 1 + (2 * n + 3 * p) % 5) for p in range(14)]


def title(item):
    k = int(item[1:])
    return f"Film {k} ({1980 + k})"


INSTRUCTION = ("Given the user's preference and unpreference, identify whether the user will like the target movie by "
               "answering \"Yes.\" or \"No.\".")


def prompts(n, history=10):
    rows = sorted(interactions(n), key=lambda row: row[2])
    made = []
    for position in range(history, len(rows)):
        user, item, timestamp, rating = rows[position]
        shown = rows[position - history:position]

        def quoted(liked):
            return ", ".join(f"\"{title(row[1])}\"" for row in shown if (row[3] > 3) == liked)

        text = (f"User Preference: {quoted(True)}\nUser Unpreference: {quoted(False)}\n"
                f"Whether the user will like the target movie \"{title(item)}\"?")
        split = {len(rows) - 1: "test", len(rows) - 2: "validation"}.get(position, "train")
        name = digest("prompt", user, item, str(timestamp))
        label = rating > 3
        made.append({"id": name, "user": user, "split": split, "input": text, "label": label,
                     "digest": digest(name, INSTRUCTION, text, "1" if label else "0")})
    return made


def whole_text(prompt):
    return ("Below is an instruction that describes a task, paired with an input that provides further context. Write a "
            f"response that appropriately completes the request.\n\n### Instruction:\n{INSTRUCTION}\n\n### Input:\n"
            f"{prompt['input']}\n\n### Response:\n")


def philox(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = ((second >> 32) ^ c1 ^ k0, second & 0xFFFFFFFF, (first >> 32) ^ c3 ^ k1, first & 0xFFFFFFFF)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def mix(value):
    z = (value + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def initial(seed, layer, module, inputs, count):
    path = [layer, module]
    stream = (0x9E3779B97F4A7C15 * (len(path) + 1)) & MASK
    for element in path:
        stream = mix(stream ^ mix(element))
    bound = f32(1 / f32(math.sqrt(f32(inputs))))
    values = []
    for i in range(count):
        low, high = (i // 4) & 0xFFFFFFFF, (i // 4) >> 32
        word = philox((low, high, stream & 0xFFFFFFFF, stream >> 32), (seed & 0xFFFFFFFF, seed >> 32))[i % 4]
        values.append(f32(bound * f32(f32(2 * ((word >> 8) * 2.0**-24)) - 1)))
    return values


def main():
    seed, shards = 1, 4
    everything = [prompt for n in range(3) for prompt in prompts(n)]
    training = [prompt for prompt in everything if prompt["split"] == "train"]
    first = training[0]
    values = {
        "text_sha256": hashlib.sha256(whole_text(first).encode()).hexdigest(),
        "input": first["input"],
        "id": first["id"],
        "digest": first["digest"],
        "label": "Yes." if first["label"] else "No.",
        "splits": {split: sum(p["split"] == split for p in everything) for split in ("train", "validation", "test")},
        "manifest": manifest_digest((p["id"], p["digest"]) for p in training),
        "user_hash": [number("partition", str(seed), f"u{n}") % shards for n in range(3)],
        "hash": [number("partition", str(seed), p["id"]) % shards for p in training],
        "orders": [
            [p["id"][:8] for p in sorted(training, key=lambda p: (number("order", str(seed), str(epoch), p["id"]), p["id"]))]
            for epoch in range(2)],
        "initial_q": [f"{value:.9g}" for value in initial(seed, 0, 0, 64, 4)],
        "initial_v": [f"{value:.9g}" for value in initial(seed, 1, 2, 64, 4)],
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
    print(path.read_text(), end="")


main()
