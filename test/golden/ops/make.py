"""Makes vectors.json: for every operator of native-models/graph/ops.ts, inputs, outputs and gradients from PyTorch in float64.

The gradients are of the scalar sum(output * seed). Values are printed with 7 digits; inputs have three decimals.
Run: python test/golden/ops/make.py
"""
import json
import math
import pathlib

import torch

torch.manual_seed(20260101)
torch.set_default_dtype(torch.float64)
cases = []


def rand(*shape, low=-1.5, high=1.5):
    x = low + (high - low) * torch.rand(*shape) if shape else low + (high - low) * torch.rand(())
    return (torch.round(x * 1000) / 1000).float().double()


def ints(high, *shape):
    return torch.randint(0, high, shape, dtype=torch.int32)


def pack(x):
    kind = {torch.float64: "float32", torch.int32: "int32", torch.int64: "int64"}[x.dtype]
    flat = x.detach().reshape(-1).tolist()
    values = [int(v) for v in flat] if kind != "float32" else [float(f"{v:.7g}") for v in flat]
    return {"dtype": kind, "shape": list(x.shape), "values": values}


def case(op, name, f, inputs, attrs=None, grads=None, dims=None):
    """f(*inputs) -> output or list of outputs. grads: indices of inputs with a gradient (default: all float ones), [] for none.
    dims: names of the axes per input, where the graph is to be built with named sizes."""
    grads = [i for i, x in enumerate(inputs) if x.dtype == torch.float64] if grads is None else grads
    leaves = [x.clone().requires_grad_(i in grads) for i, x in enumerate(inputs)]
    outputs = f(*leaves)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    row = {"op": op, "name": name, "attrs": attrs or {}, "inputs": [pack(x) for x in inputs], "outputs": [pack(y) for y in outputs]}
    if dims:
        row["dims"] = dims
    if grads:
        seed = rand(*outputs[0].shape)
        (outputs[0] * seed).sum().backward()
        row["seed"] = pack(seed)
        row["grads"] = [pack(x.grad) if i in grads else None for i, x in enumerate(leaves)]
    cases.append(row)


BROADCASTS = [
    ("same shape", [2, 3], [2, 3], [["B", "T"], ["B", "T"]]),
    ("row", [2, 3, 4], [4], [["B", "T", 4], [4]]),
    ("column", [2, 3], [2, 1], [["B", "T"], ["B", 1]]),
    ("both sides", [2, 1, 4], [3, 1], [["B", 1, 4], ["T", 1]]),
    ("scalar", [2, 3], [], [["B", "T"], []]),
    ("scalar first", [], [3], None),
    ("scalars", [], [], None),
]
for name, s, t, dims in BROADCASTS:
    case("add", name, torch.add, [rand(*s), rand(*t)], dims=dims)
    case("sub", name, torch.sub, [rand(*s), rand(*t)], dims=dims)
    case("mul", name, torch.mul, [rand(*s), rand(*t)], dims=dims)
    case("div", name, torch.div, [rand(*s), rand(*t, low=0.5, high=2.0) * (1 if len(t) % 2 else -1)], dims=dims)
    # Values of a and b are multiples of 0.2, b shifted by 0.1: never closer than 0.1.
    grid = lambda shape, shift: (torch.round(rand(*shape) * 5) / 5 + shift).float().double()
    case("max", name, torch.maximum, [grid(s, 0), grid(t, 0.1)], dims=dims)
    case("min", name, torch.minimum, [grid(s, 0), grid(t, 0.1)], dims=dims)
    case("greater", name, lambda a, b: (a > b).double(), [grid(s, 0), grid(t, 0.1)], grads=[], dims=dims)
    case("where", name + ", condition like a", lambda c, a, b: torch.where(c > 0.5, a, b),
         [torch.randint(0, 2, s).double(), rand(*s), rand(*t)], grads=[1, 2])
case("greater", "equal is not greater", lambda a, b: (a > b).double(), [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 4.0])], grads=[])
case("where", "condition broadcasts", lambda c, a, b: torch.where(c > 0.5, a, b),
     [torch.tensor([[1.0], [0.0]]), rand(2, 3), rand(3)], grads=[1, 2], dims=[["B", 1], ["B", "T"], ["T"]])

for shape in ([5], [2, 3, 4], []):
    label = str(shape)
    case("neg", label, torch.neg, [rand(*shape)])
    case("exp", label, torch.exp, [rand(*shape, low=-4, high=3)])
    case("log", label, torch.log, [rand(*shape, low=0.2, high=6)])
    case("sqrt", label, torch.sqrt, [rand(*shape, low=0.2, high=6)])
    case("sigmoid", label, torch.sigmoid, [rand(*shape, low=-6, high=6)])
    case("stopGradient", label, lambda x: x.clone(), [rand(*shape)], grads=[])

for trans_a in (False, True):
    for trans_b in (False, True):
        for alpha in (1.0, 0.5, -1.25):
            flip = lambda x, yes: x.transpose(-1, -2) if yes else x
            attrs = {"transA": trans_a, "transB": trans_b, "alpha": alpha}
            for name, batch_a, batch_b, names in [
                ("2-D", [], [], []),
                ("batched", [3], [3], ["B"]),
                ("two batch axes", [2, 3], [2, 3], ["B", 3]),
                ("shared 2-D", [3], [], ["B"]),
                ("shared 2-D, two batch axes", [2, 3], [], ["B", 3]),
            ]:
                m, k, n = 4, 5, 2
                a = rand(*batch_a, *([k, m] if trans_a else [m, k]))
                b = rand(*batch_b, *([n, k] if trans_b else [k, n]))
                dims = [names + list(a.shape[-2:]), (names if batch_b else []) + list(b.shape[-2:])] if names else None
                case("matmul", f"{name}, transA {trans_a}, transB {trans_b}, alpha {alpha}",
                     lambda a, b: alpha * (flip(a, trans_a) @ flip(b, trans_b)), [a, b], attrs, dims=dims)
case("matmul", "one row", lambda a, b: a @ b.T, [rand(1, 3), rand(4, 3)], {"transA": False, "transB": True, "alpha": 1.0})

for shape, axes, keep, dims in [
    ([2, 3, 4], [0], False, ["B", 3, 4]), ([2, 3, 4], [2], True, ["B", "T", 4]), ([2, 3, 4], [0, 2], False, ["B", "T", 4]),
    ([2, 3, 4], [0, 1, 2], False, ["B", "T", 4]), ([2, 3, 4], [1], True, None), ([2, 3, 4], [1], False, ["B", 3, 4]), ([5], [0], False, ["B"]),
    ([5], [0], True, None), ([2, 3], [0, 1], True, None),
]:
    case("reduceSum", f"{shape} over {axes}, keepDims {keep}", lambda x: x.sum(dim=axes, keepdim=keep), [rand(*shape)],
         {"axes": axes, "keepDims": keep}, dims=[dims] if dims else None)

for shape, to, dims, named in [
    ([2, 6], [2, 2, 3], ["B", 6], ["B", 2, 3]), ([2, 3, 4], [6, 4], ["B", "T", 4], ["rows", 4]), ([2, 3], [6], None, None), ([1], [], None, None),
    ([], [1, 1], None, None), ([2, 6, 4], [2, 3, 2, 4], ["B", "T", 4], ["B", "S", 2, 4]),
]:
    # The gradient of flattening two named axes cannot be inferred: graph.test.ts sees that it is refused.
    case("reshape", f"{shape} to {to}", lambda x: x.reshape(to), [rand(*shape)], {"shape": named or to},
         grads=[] if named == ["rows", 4] else None, dims=[dims] if dims else None)

for shape, perm in [([2, 3], [1, 0]), ([2, 3, 4], [2, 0, 1]), ([2, 3, 4, 5], [0, 2, 1, 3]), ([3], [0])]:
    case("transpose", f"{shape} by {perm}", lambda x: x.permute(perm), [rand(*shape)], {"perm": perm})
case("transpose", "int32", lambda x: x.permute([1, 0]), [ints(9, 2, 3)], {"perm": [1, 0]}, grads=[])

for s, t, dims in [([2, 1, 4], [2, 3, 4], [["B", 1, 4], ["B", "T", 4]]), ([4], [2, 3, 4], [[4], ["B", "T", 4]]), ([], [2, 3], [[], ["B", "T"]]),
                   ([2, 3], [2, 3], None), ([1, 1], [2, 3], None)]:
    case("expandLike", f"{s} to {t}", lambda x, y: x.expand(y.shape), [rand(*s), rand(*t)], grads=[0], dims=dims)

for ids, label in [(ints(5, 2, 3), "[2,3]"), (torch.tensor([1, 1, 1, 4], dtype=torch.int32), "repeats"), (torch.tensor(3, dtype=torch.int32), "scalar")]:
    case("gather", label, lambda table, i: table[i.long()], [rand(5, 4), ids], grads=[0])
case("gather", "named sizes", lambda table, i: table[i.long()], [rand(5, 4), ints(5, 2, 3)], grads=[0], dims=[[5, 4], ["B", "T"]])

for shape in ([4], [2, 3], []):
    case("oneHot", str(shape), lambda i: torch.nn.functional.one_hot(i.long(), 6).double(), [ints(6, *shape)], {"depth": 6}, grads=[])
case("oneHot", "an id out of range is a row of zeros", lambda i: torch.tensor([[0.0, 0, 0], [0, 0, 1]]), [torch.tensor([7, 2], dtype=torch.int32)], {"depth": 3}, grads=[])

for shape in ([4, 5], [2, 3, 7], [6]):
    case("selectLast", str(shape), lambda x, i: torch.gather(x, -1, i.long().unsqueeze(-1)).squeeze(-1), [rand(*shape), ints(shape[-1], *shape[:-1])], grads=[0])
case("selectLast", "named sizes", lambda x, i: torch.gather(x, -1, i.long().unsqueeze(-1)).squeeze(-1), [rand(2, 3, 7), ints(7, 2, 3)], grads=[0], dims=[["B", "T", 7], ["B", "T"]])

for shape, dims in [([7], None), ([3, 5], ["B", 5]), ([2, 3, 4, 6], ["B", 3, "GT", "T"])]:
    for op, f in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
        case(op, str(shape), lambda x: f(x, -1), [rand(*shape, low=-4, high=4)], dims=[dims] if dims else None)
case("softmax", "masked by -1e9", lambda x: torch.softmax(x, -1), [torch.tensor([[0.5, -1.0, -1e9], [0.25, -1e9, -1e9]])])
case("softmax", "large", lambda x: torch.softmax(x, -1), [torch.tensor([[100.0, 99.0, -100.0], [-300.0, -301.0, -299.5]])])
case("logSoftmax", "large", lambda x: torch.log_softmax(x, -1), [torch.tensor([[100.0, 99.0, -100.0], [-300.0, -301.0, -299.5]])])


def rms(x, w, eps):
    inverse = torch.rsqrt((x * x).mean(-1, keepdim=True) + eps)
    return [x * inverse * w, inverse]


for shape, eps, dims in [([8], 1e-6, None), ([3, 8], 1e-5, ["B", 8]), ([2, 3, 16], 1e-2, ["B", "T", 16])]:
    case("rmsNorm", f"{shape}, epsilon {eps}", lambda x, w: rms(x, w, eps), [rand(*shape), rand(shape[-1])], {"epsilon": eps},
         dims=[dims, [shape[-1]]] if dims else None)
case("rmsNorm", "small x", lambda x, w: rms(x, w, 1e-5), [rand(2, 8) * 1e-3, rand(8)], {"epsilon": 1e-5})


def tables(positions, half, theta=100.0):
    angle = torch.arange(positions).double().unsqueeze(1) * theta ** (-torch.arange(half).double() / half)
    return angle.cos().float().double(), angle.sin().float().double()


def rotate(x, cos, sin, positions, sign=1):
    c, s = cos[positions.long()].unsqueeze(1), sign * sin[positions.long()].unsqueeze(1)  # [B,1,T,half]
    first, second = x.chunk(2, -1)
    return torch.cat([first * c - second * s, second * c + first * s], -1)


for sign in (1, -1):
    for b, h, t, d in [(2, 3, 4, 8), (1, 1, 1, 8), (2, 2, 5, 16)]:
        cos, sin = tables(9, d // 2)
        positions = torch.randint(0, 9, (b, t))
        case("rotary", f"B {b}, H {h}, T {t}, Dh {d}, sign {sign}", lambda x, c, s, p: rotate(x, c, s, p, sign), [rand(b, h, t, d), cos, sin, positions],
             {"sign": sign}, grads=[0], dims=[["B", h, "T", d], ["P", d // 2], ["P", d // 2], ["B", "T"]])


def attention(q, k, v, past_k, past_v, last, longest, cos, sin, heads, kv_heads, scale):
    """Prefill (past length 0, S tokens, rows padded on the right) and steps of one token. Undefined outputs are left 0 and marked by nan in `valid`."""
    batch, s, _ = q.shape
    d = past_k.shape[-1]
    split = lambda x, n: x.reshape(batch, s, n, d).transpose(1, 2)
    q4, k4, v4 = split(q, heads), split(k, kv_heads), split(v, kv_heads)
    out, new_k, new_v = torch.zeros(batch, s, heads * d), past_k.clone(), past_v.clone()
    for r in range(batch):
        total = int(last[r]) + 1
        fresh = total if s > 1 else 1  # tokens of this row in q
        start = total - fresh
        positions = torch.arange(start, total)
        turn = lambda x: rotate(x[r:r + 1, :, :fresh], cos, sin, positions.unsqueeze(0))[0]
        new_k[r, :, start:total] = turn(k4)
        new_v[r, :, start:total] = v4[r, :, :fresh]
        keys = new_k[r, :, :total].repeat_interleave(heads // kv_heads, 0)
        values = new_v[r, :, :total].repeat_interleave(heads // kv_heads, 0)
        scores = scale * turn(q4) @ keys.transpose(-1, -2)
        ahead = torch.arange(total).unsqueeze(0) > positions.unsqueeze(1)
        mixed = torch.softmax(scores.masked_fill(ahead, -math.inf), -1) @ values  # [H,fresh,Dh]
        out[r, :fresh] = mixed.transpose(0, 1).reshape(fresh, heads * d)
    return [out, new_k, new_v]


for heads, kv_heads, d in [(4, 2, 16), (2, 2, 32), (4, 1, 16), (1, 1, 16)]:
    for label, batch, s, lengths, fresh in [
        ("prefill, equal lengths", 2, 5, [5, 5], True), ("prefill, different lengths", 3, 5, [2, 5, 4], True), ("prefill, one row", 1, 6, [6], True),
        ("step, equal lengths", 2, 1, [6, 6], False), ("step, different lengths", 3, 1, [3, 8, 5], False), ("step, one row", 1, 1, [4], False),
        ("step, full cache", 2, 1, [12, 3], False),
    ]:
        if d == 32 and batch == 2:
            continue
        capacity = 12
        cos, sin = tables(16, d // 2)
        past = lambda: torch.stack([torch.cat([rand(kv_heads, n - 1, d), torch.zeros(kv_heads, capacity - n + 1, d)], 1) for n in lengths]) if not fresh else torch.zeros(batch, kv_heads, capacity, d)
        inputs = [rand(batch, s, heads * d), rand(batch, s, kv_heads * d), rand(batch, s, kv_heads * d), past(), past(),
                  torch.tensor([n - 1 for n in lengths], dtype=torch.int32), torch.tensor([max(lengths)], dtype=torch.int32), cos, sin]
        scale = 1 / math.sqrt(d)
        case("cachedAttention", f"{label}, H {heads}, Hkv {kv_heads}, Dh {d}", lambda *x: attention(*x, heads, kv_heads, scale), inputs,
             {"heads": heads, "kvHeads": kv_heads, "scale": scale}, grads=[],
             dims=[["B", "S", heads * d], ["B", "S", kv_heads * d], ["B", "S", kv_heads * d], ["B", kv_heads, "C", d], ["B", kv_heads, "C", d], ["B"], [1], ["P", d // 2], ["P", d // 2]])

for rows, depth, ids in [(3, 5, [4, 0, 2]), (4, 3, [1, 1, 0, 1]), (1, 2, [1])]:
    index = torch.tensor(ids, dtype=torch.int32)
    case("scatterRows", f"{rows} rows into {depth}", lambda x, i: torch.zeros(depth, x.shape[1]).index_add(0, i.long(), x), [rand(rows, 4), index],
         {"depth": depth}, grads=[], dims=[["N", 4], ["N"]])


def take(x, ids):
    return torch.cat([x, torch.zeros(1, *x.shape[1:])])[ids.long()]


def take_grid(x, ids):
    return take(x.reshape(-1, x.shape[-1]), ids)


def inverse_of(ids, rows):
    inverse = torch.full((rows,), ids.numel(), dtype=torch.int32)
    for place, row in enumerate(ids.reshape(-1).tolist()):
        if row < rows:
            inverse[row] = place
    return inverse


for name, tail, rows, ids, inside, covers, dims in [
    ("spread over padding", [3], 4, [[0, 1, 4], [2, 3, 4]], False, True, [["N", 3], ["B", "T"], ["N"]]),
    ("gather some", [3], 5, [4, 1], True, False, [["N", 3], ["M"], ["N"]]),
    ("permute", [2, 2], 3, [2, 0, 1], True, True, [["N", 2, 2], ["M"], ["N"]]),
    ("scalars, some left out, some padding", [], 3, [[3, 2], [0, 3]], False, False, [["M"], ["B", "T"], ["M"]]),
]:
    index = torch.tensor(ids, dtype=torch.int32)
    case("take", name, lambda x, i, inverse: take(x, i), [rand(rows, *tail), index, inverse_of(index, rows)],
         {"idsInside": inside, "inverseInside": covers}, grads=[0], dims=dims)

grid_ids = torch.tensor([5, 0, 3], dtype=torch.int32)
case("take", "out of a grid", lambda x, i, inverse: take_grid(x, i), [rand(2, 3, 4), grid_ids, inverse_of(grid_ids, 6).reshape(2, 3)],
     {"idsInside": True, "inverseInside": False}, grads=[0], dims=[["B", "T", 4], ["N"], ["B", "T"]])


def head(hidden, ids, weight):
    logits = hidden @ weight.T
    return [logits.log_softmax(-1).gather(-1, ids.long()[:, None])[:, 0], logits.logsumexp(-1)]


def head_gradient(hidden, ids, weight, sum, dy, wanted):
    h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
    (head(h, ids, w)[0] * dy).sum().backward()
    return [h.grad, w.grad if wanted else torch.tensor(0.0)]


for rows, width, depth, stretch in [(3, 4, 7, 3), (1, 2, 6, 6), (5, 3, 9, 100), (2, 8, 12, 4)]:
    label = f"[{rows},{width}] over {depth}, stretches of {stretch}"
    hidden, ids, weight = rand(rows, width), ints(depth, rows), rand(depth, width)
    dims = [["M", width], ["M"], [depth, width]]
    case("headLogprobs", label, head, [hidden, ids, weight], {"stretch": stretch}, grads=[0, 2], dims=dims)
    case("headLogprobs", label + ", weight frozen", head, [hidden, ids, weight], {"stretch": stretch}, grads=[0], dims=dims)
    for wanted in (False, True):
        inputs = [hidden, ids, weight, head(hidden, ids, weight)[1], rand(rows)]
        case("headLogprobsGradient", f"{label}, weight {wanted}", lambda *x: head_gradient(*x, wanted), inputs,
             {"stretch": stretch, "forWeight": wanted}, grads=[], dims=dims + [["M"], ["M"]])

for shape, other in [([5], [2]), ([2, 3, 4], [3, 4]), ([], [1])]:
    case("after", f"{shape} after {other}", lambda x, y: x.clone(), [rand(*shape), rand(*other)], grads=[0])

for rows, width, depth, stretch in [(3, 4, 7, 3), (5, 3, 9, 100)]:
    label = f"[{rows},{width}] over {depth}, stretches of {stretch}, logits kept"
    inputs, dims = [rand(rows, width), ints(depth, rows), rand(depth, width)], [["M", width], ["M"], [depth, width]]
    for grads in ([0, 2], [0]):
        case("headLogprobs", f"{label}, gradients of {grads}", head, inputs, {"stretch": stretch, "kept": True}, grads=grads, dims=dims)

target = pathlib.Path(__file__).with_name("vectors.json")
target.write_text(
    '{\n"madeBy": ' + json.dumps(f"torch {torch.__version__}, python test/golden/ops/make.py") + ',\n"cases": [\n'
    + ",\n".join(json.dumps(row, separators=(",", ":")) for row in cases) + "\n]\n}\n"
)
print(len(cases), "cases,", target.stat().st_size, "bytes")
