"""Golden vectors of safetensors files and half precision, by the real Python libraries.

Run from the repository root:
    node test/golden/checkpoint/write-ours.ts OUT && python test/golden/checkpoint/make-safetensors-vectors.py OUT/ours.safetensors
Needs: pip install safetensors torch numpy
Writes vectors.json: files made by Python with their values; verdicts of Python on hostile files; numpy's and torch's
narrowing of hard floats; and what Python read from the file that our writer made (its sha256 recorded).
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

here = pathlib.Path(__file__).parent
b64 = lambda data: base64.b64encode(data).decode()


def python_files():
    torch.manual_seed(7)
    tensors = {
        "weight": torch.randn(3, 4),
        "half": torch.randn(5, 2).half(),
        "brain": torch.randn(7).bfloat16(),
        "long": torch.tensor([[-(2**63), 2**63 - 1, 0]]),
        "int": torch.tensor([-(2**31), 2**31 - 1], dtype=torch.int32),
        "byte": torch.arange(5, dtype=torch.uint8),
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 4),
        "naïve.Ж.🐝": torch.ones(1),
        "10": torch.zeros(2, dtype=torch.float64),
        "flag": torch.tensor([True, False, True]),
    }
    data = safetensors.torch.save(tensors, metadata={"format": "pt", "quote": 'a"b\\{}'})
    values = {}
    for name, t in tensors.items():
        flat = t.flatten()
        listed = [str(v) for v in flat.tolist()] if t.dtype == torch.int64 else flat.to(torch.float64).tolist()
        values[name] = {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape), "values": listed}
    return {"bytes": b64(data), "metadata": {"format": "pt", "quote": 'a"b\\{}'}, "tensors": values}


def build(header, data=b"", length=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(dtype="F32", shape=(1,), begin=0, end=4):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def hostile_files():
    four, eight = b"\0" * 4, b"\0" * 8
    one = json.dumps(entry())
    cases = {
        "good": build({"a": entry()}, four),
        "good, two in another order": build({"b": entry(begin=4, end=8), "a": entry()}, eight),
        "good, spaces after the header": build(json.dumps({"a": entry()}).encode() + b"   ", four),
        "good, no tensors": build({}),
        "good, scalar": build({"a": entry(shape=())}, four),
        "good, empty tensors": build({"a": entry(shape=(0, 3), end=0), "b": entry()}, four),
        "good, unknown key in an entry": build({"a": {**entry(), "extra": 1}}, four),
        "nothing": b"",
        "seven bytes": b"\0" * 7,
        "length only": struct.pack("<Q", 0),
        "length beyond the file": build({"a": entry()}, four, length=10_000),
        "length 2^63": build({"a": entry()}, four, length=2**63),
        "length 2^64-1": build({"a": entry()}, four, length=2**64 - 1),
        "length one short": build({"a": entry()}, four, length=len(json.dumps({"a": entry()})) - 1),
        "length one long": build({"a": entry()}, four, length=len(json.dumps({"a": entry()})) + 1),
        "not JSON": build(b"{nonsense}", four),
        "a list": build(b"[]"),
        "null": build(b"null"),
        "leading space": build(b" " + json.dumps({"a": entry()}).encode(), four),
        "byte order mark": build(b"\xef\xbb\xbf" + json.dumps({"a": entry()}).encode(), four),
        "invalid UTF-8": build(b'{"\xff":' + one.encode() + b"}", four),
        "two JSON values": build(json.dumps({"a": entry()}).encode() + b"{}", four),
        "duplicate name": build(b'{"a":' + one.encode() + b',"a":' + one.encode() + b"}", four),
        "duplicate name, escaped": build(b'{"a":' + one.encode() + b',"\\u0061":' + one.encode() + b"}", four),
        "overlap": build({"a": entry(), "b": entry(begin=2, end=6)}, b"\0" * 6),
        "same range": build({"a": entry(), "b": entry()}, four),
        "hole": build({"a": entry(), "b": entry(begin=8, end=12)}, b"\0" * 12),
        "hole at the start": build({"a": entry(begin=4, end=8)}, eight),
        "bytes after the end": build({"a": entry()}, eight),
        "data cut short": build({"a": entry()}, b"\0\0\0"),
        "begin after end": build({"a": entry(begin=4, end=0)}, four),
        "negative offset": build({"a": entry(begin=-4, end=0)}, four),
        "negative size": build({"a": entry(shape=(-1,))}, four),
        "two negative sizes": build({"a": entry(shape=(-1, -1))}, four),
        "fraction of a size": build({"a": entry(shape=(0.5,))}, four),
        "size beyond 2^64": build({"a": entry(shape=(2**65,))}, four),
        "product beyond 2^64": build({"a": entry(shape=(2**33, 2**33))}, four),
        "product wraps to one": build({"a": entry(shape=(2**32 + 1, 2**32 - 1))}, four),
        "size is a text": build({"a": entry(shape=("1",))}, four),
        "shape missing": build({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, four),
        "dtype missing": build({"a": {"shape": [1], "data_offsets": [0, 4]}}, four),
        "unknown dtype": build({"a": entry(dtype="F31")}, four),
        "dtype from a prototype": build({"a": entry(dtype="toString")}, four),
        "three offsets": build({"a": {**entry(), "data_offsets": [0, 4, 4]}}, four),
        "no offsets": build({"a": {"dtype": "F32", "shape": [1]}}, four),
        "size against the range": build({"a": entry(shape=(2,))}, four),
        "entry null": build(b'{"a":null}', four),
        "metadata a number": build({"__metadata__": 3, "a": entry()}, four),
        "metadata of numbers": build({"__metadata__": {"x": 3}, "a": entry()}, four),
        "good, called __proto__": build({"__proto__": entry()}, four),
        "good, metadata": build({"__metadata__": {"x": "3"}, "a": entry()}, four),
    }
    rows = []
    for name, data in cases.items():
        try:
            safetensors.deserialize(data)
            accepted = True
        except Exception as error:
            accepted, detail = False, f"{type(error).__name__}: {error}"
        rows.append({"name": name, "bytes": b64(data), "accepted": accepted, "detail": None if accepted else detail})
    return rows


def narrowing():
    rng = np.random.default_rng(11)
    bits = rng.integers(0, 2**32, 3000, dtype=np.uint64).astype(np.uint32)
    halves = np.arange(0, 0x7C00, 97, dtype=np.uint16).view(np.float16).astype(np.float32)
    upper = np.nextafter(halves, np.float32(np.inf))
    next_half = np.arange(1, 0x7C01, 97, dtype=np.uint16).view(np.float16).astype(np.float32)
    ties = ((halves.astype(np.float64) + next_half.astype(np.float64)) / 2).astype(np.float32)
    edges = np.array([0.0, -0.0, 65504, 65519.996, 65520, 65536, 2**-24, 2**-25, 2**-26, 6.1e-5, 1e38, np.inf], np.float32)
    edges = np.concatenate([edges, np.nextafter(np.float32(2**-25), np.float32(1))[None], -edges])
    values = np.concatenate([bits.view(np.float32), halves, upper, ties, np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(np.inf)), edges])
    values = values[~np.isnan(values)].astype(np.float32)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16).view(np.uint16)
    brain = torch.from_numpy(values.copy()).bfloat16().view(torch.int16).numpy().view(np.uint16)
    every_half = np.arange(65536, dtype=np.uint32).astype(np.uint16).view(np.float16).astype(np.float32)
    return {
        "values": b64(values.tobytes()),
        "half": b64(half.tobytes()),
        "brain": b64(brain.tobytes()),
        "everyHalfSha256": hashlib.sha256(every_half[~np.isnan(every_half)].tobytes()).hexdigest(),
    }


def ours(path):
    data = pathlib.Path(path).read_bytes()
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {}
        for name in file.keys():
            t = file.get_tensor(name)
            wide = t.flatten().to(torch.float64 if t.is_floating_point() else t.dtype).tolist()
            # As text where JSON has no such number.
            values = [str(v) if t.dtype == torch.int64 or v in (float("inf"), float("-inf")) else v for v in wide]
            tensors[name] = {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape), "values": values}
    return {"sha256": hashlib.sha256(data).hexdigest(), "metadata": metadata, "tensors": tensors}


vectors = {
    "madeBy": {
        "command": "node test/golden/checkpoint/write-ours.ts OUT && python test/golden/checkpoint/make-safetensors-vectors.py OUT/ours.safetensors",
        "python": sys.version.split()[0],
        "safetensors": safetensors.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    },
    "pythonFile": python_files(),
    "hostile": hostile_files(),
    "narrowing": narrowing(),
    "ours": ours(sys.argv[1]),
}
(here / "vectors.json").write_text(json.dumps(vectors, allow_nan=False) + "\n")
for row in vectors["hostile"]:
    print(row["accepted"], row["name"], row["detail"] or "")
