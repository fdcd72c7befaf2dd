"""Makes vectors.json: losses, metrics and gradients of all objectives from their equations, by PyTorch autograd in float64.

Written from the papers (arXiv 2402.03300, 2503.14476, 2503.20783, 2606.03070), not from our code: groups, advantages and normalisers are
worked out here from rewards and masks. Gradients are with respect to the log-probs of the tokens: what lies in front of them is checked in golden/policy and golden/ops.
Run: python test/golden/objective/make.py
"""
import json
import math
import pathlib

import torch

torch.manual_seed(20260102)
torch.set_default_dtype(torch.float64)
cases = []
V, T = 5, 6  # the vocabulary only makes the log-probs


def digits(x):
    return [float(f"{v:.8g}") for v in x.detach().reshape(-1).tolist()]


def rounded(x):
    """What the engine is fed is float32, so that both sides start from the same numbers."""
    return x.float().double()


def spans(lengths):
    """Completion masks [B,T]: row b has its completion at positions 1 .. lengths[b]; the rest is prompt and padding."""
    mask = torch.zeros(len(lengths), T)
    for row, length in enumerate(lengths):
        mask[row, 1:1 + length] = 1
    return mask


def centred(rewards):
    return torch.tensor(rewards) - torch.tensor(rewards).mean()


def grpo(logp, old, ref, mask, groups, low=0.2, high=0.28, normaliser="tokens", std=True, beta=0.0, limit=80):
    advantages = []
    for rewards in groups:
        deviation = torch.tensor(rewards).std(unbiased=True) + 1e-8 if std and len(rewards) > 1 else 1.0
        advantages.append(centred(rewards) / deviation)
    a = torch.cat(advantages)
    gain, kl, clipped, ratios, k3s, row = torch.zeros(()), torch.zeros(()), 0, torch.zeros(()), torch.zeros(()), 0
    for rewards in groups:
        for _ in rewards:
            length = mask[row].sum().item()
            divisor = {"tokens": max(1.0, mask.sum().item()),
                       "answers": max(1.0, length) * len(rewards) * len(groups),
                       "constant": limit * len(rewards) * len(groups)}[normaliser]
            for t in range(T):
                if mask[row, t] == 0:
                    continue
                rho = torch.exp(logp[row, t] - old[row, t])
                free, bounded = rho * a[row], torch.clamp(rho, 1 - low, 1 + high) * a[row]
                gain = gain + torch.minimum(free, bounded) / divisor
                clipped += int(bounded < free)
                ratios = ratios + rho
                d = ref[row, t] - logp[row, t]
                k3 = torch.exp(d) - d - 1
                k3s = k3s + k3
                kl = kl + beta * k3 / divisor
            row += 1
    metrics = {"clippedTokens": clipped, "ratio": ratios}
    return a, -gain, kl, metrics | ({"kl": k3s} if beta > 0 else {})


def asympo(logp, old, ref, mask, groups, p_low=0.02, p_high=0.98, floor=1e-3):
    a = torch.cat([centred(r) for r in groups])
    loss, row = torch.zeros(()), 0
    clipped_low = clipped_high = 0
    surprises, undivided = torch.zeros(()), torch.zeros(())
    for rewards in groups:
        inner = torch.zeros(())
        for _ in rewards:
            picked = [logp[row, t] for t in range(T) if mask[row, t] == 1]
            if picked:
                l = x = torch.stack(picked)
                if a[row] >= 0 and p_high < 1:
                    l, clipped_high = torch.clamp(x, max=math.log(p_high)), clipped_high + int((x > math.log(p_high)).sum())
                if a[row] < 0 and p_low > 0:
                    l, clipped_low = torch.clamp(x, min=math.log(p_low)), clipped_low + int((x < math.log(p_low)).sum())
                s = -l.mean()
                surprises = surprises + s
                undivided = undivided + a[row] * s / (len(rewards) * len(groups))
                inner = inner + a[row] * s / torch.clamp(s, min=floor).detach()
            row += 1
        loss = loss + inner / len(rewards)
    metrics = {"clippedHigh": clipped_high, "clippedLow": clipped_low, "surprise": surprises, "undivided": undivided}
    return a, loss / len(groups), torch.zeros(()), metrics


def spo(logp, old, ref, mask, groups, alpha=0.2):
    a = torch.cat([centred(r) for r in groups])
    loss, row, surprises = torch.zeros(()), 0, torch.zeros(())
    for rewards in groups:
        for _ in rewards:
            picked = [-logp[row, t] for t in range(T) if mask[row, t] == 1]
            if picked:
                s = torch.stack(picked).mean()
                surprises = surprises + s
                loss = loss + a[row] * (1 if a[row] >= 0 else alpha) * s / (len(rewards) * len(groups))
            row += 1
    return a, loss, torch.zeros(()), {"surprise": surprises}


def naive(*tensors):
    return spo(*tensors, alpha=1.0)


def sft(logp, old, ref, mask, groups):
    right = torch.cat([(torch.tensor(r) >= 1).double() for r in groups])
    chosen = mask * right[:, None]
    return right, -(logp * chosen).nan_to_num().sum() / max(1.0, chosen.sum().item()), torch.zeros(()), {}


OBJECTIVES = {"grpo": grpo, "asympo": asympo, "spo": spo, "naive": naive, "sft": sft}


def case(name, objective, groups, lengths, sharpness=1.0, moved=None, drift=None, edit=None, **options):
    rows = sum(map(len, groups))
    logits = torch.randn(rows, T, V) * sharpness
    targets = torch.randint(0, V, (rows, T))
    mask = spans(lengths)
    if edit:
        edit(logits, targets, mask)
    logp = rounded(torch.log_softmax(logits, -1).gather(-1, targets[..., None])[..., 0]).requires_grad_()
    noise = [torch.zeros(rows, T) if size is None else size * torch.randn(rows, T) for size in (moved, drift)]
    old, ref = (rounded(torch.where(mask == 1, logp.detach() + shift, torch.zeros(rows, T))) for shift in noise)
    advantages, gain, kl, metrics = OBJECTIVES[objective](logp, old, ref, mask, groups, **options)
    if gain.requires_grad:
        gain.backward(retain_graph=True)
    force = torch.zeros_like(logp) if logp.grad is None else logp.grad.clone()
    if kl.requires_grad:
        kl.backward()
    gradient = torch.zeros_like(logp) if logp.grad is None else logp.grad
    nll = torch.where(mask == 1, -logp.detach(), torch.zeros(rows, T))
    metrics = {"tokens": mask.sum(), "nll": nll.sum()} | metrics
    if objective != "sft":
        pull = (force.abs() * nll).sum(1)
        metrics |= {"raised": pull[advantages > 0].sum(), "lowered": pull[advantages < 0].sum()}
    cases.append({
        "name": name, "objective": objective, "groups": groups, "lengths": lengths, "shape": [rows, T], "options": options,
        "logprobs": digits(logp), "mask": digits(mask), "behavior": digits(old),
        **({"reference": digits(ref)} if drift else {}),
        "advantages": digits(advantages), "loss": float(f"{(gain + kl).item():.8g}"), "gradient": digits(gradient),
        "metrics": {k: float(f"{torch.as_tensor(v).item():.8g}") for k, v in metrics.items()}})


def wild_outside(logits, targets, mask):
    """Prompt and padding positions whose log-probs are as extreme as float32 logits allow."""
    for row in range(logits.shape[0]):
        for t in range(T):
            if mask[row, t] == 0:
                logits[row, t] = -2e4
                logits[row, t, (targets[row, t] + 1) % V] = 2e4


def certain(logits, targets, mask):
    """Every target is all but certain: the surprise S is close to 0."""
    logits.mul_(0.01).scatter_(-1, targets[..., None], 14.0)


def extremes(logits, targets, mask):
    """Targets alternate between all but certain and all but impossible."""
    for row in range(logits.shape[0]):
        for t in range(T):
            logits[row, t, targets[row, t]] = 6.0 if (row + t) % 2 else -6.0


def drifted(logits, targets, mask):
    """As stale text is: better completions of TWO have become likely, worse ones unlikely."""
    for row in range(logits.shape[0]):
        for t in range(T):
            logits[row, t, targets[row, t]] += 2.0 if row in (0, 3, 6) else -2.0


TWO, LENGTHS = [[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0]], [3, 5, 1, 4, 2, 5, 3]
EQUAL = [[1.0, 1.0, 1.0], [0.0, 0.0]]
case("first epoch: the ratio is 1", "grpo", TWO, LENGTHS)
case("clipped on both sides", "grpo", TWO, LENGTHS, moved=0.6)
case("tight bounds", "grpo", TWO, LENGTHS, moved=0.3, low=0.05, high=0.05)
case("graded rewards", "grpo", [[0.1, 0.7, 0.4, 0.4]], [5, 2, 3, 1], moved=0.2)
case("equal rewards", "grpo", EQUAL, [2, 3, 1, 4, 2], moved=0.6)
case("one-token completions", "grpo", TWO, [1] * 7, moved=0.3)
case("an empty row", "grpo", TWO, [3, 0, 1, 4, 2, 0, 3], moved=0.3)
case("wild padding", "grpo", TWO, LENGTHS, moved=0.3, edit=wild_outside)
case("certain tokens", "grpo", TWO, LENGTHS, edit=certain)
case("ordinary", "asympo", TWO, LENGTHS)
case("graded rewards", "asympo", [[0.1, 0.7, 0.4, 0.5]], [5, 2, 3, 1])
case("stabiliser on both sides", "asympo", TWO, LENGTHS, edit=extremes)
case("equal rewards", "asympo", EQUAL, [2, 3, 1, 4, 2])
case("one-token completions", "asympo", TWO, [1] * 7)
case("an empty row", "asympo", TWO, [3, 0, 1, 4, 2, 0, 3])
case("wild padding", "asympo", TWO, LENGTHS, edit=wild_outside)
case("S near 0", "asympo", TWO, LENGTHS, edit=certain)
case("ordinary", "sft", TWO, LENGTHS)
case("wild padding", "sft", TWO, LENGTHS, edit=wild_outside)
case("no demonstration", "sft", [[0.0, 0.5], [0.0, 0.0]], [3, 2, 4, 1])
case("each answer alike", "grpo", TWO, LENGTHS, moved=0.3, normaliser="answers")
case("each answer alike, an empty row", "grpo", TWO, [3, 0, 1, 4, 2, 0, 3], moved=0.3, normaliser="answers")
case("constant normaliser without std (Dr.GRPO)", "grpo", TWO, LENGTHS, moved=0.3, normaliser="constant", std=False, limit=32)
case("KL to a reference", "grpo", TWO, LENGTHS, moved=0.3, drift=0.7, beta=0.05)
case("KL to a reference, equal rewards", "grpo", EQUAL, [2, 3, 1, 4, 2], drift=0.7, beta=0.5, normaliser="answers")
case("KL where the policy is the reference", "grpo", TWO, LENGTHS, drift=1e-9, beta=0.5)
case("KL, wild padding", "grpo", TWO, LENGTHS, drift=0.7, beta=0.05, edit=wild_outside)
case("no stabiliser", "asympo", TWO, LENGTHS, edit=extremes, p_low=0.0, p_high=1.0)
case("a wide stabiliser", "asympo", TWO, LENGTHS, p_low=0.3, p_high=0.6)
case("ordinary", "spo", TWO, LENGTHS)
case("better ones only", "spo", TWO, LENGTHS, alpha=0.0)
case("an empty row", "spo", TWO, [3, 0, 1, 4, 2, 0, 3], alpha=0.5)
case("equal rewards", "spo", EQUAL, [2, 3, 1, 4, 2])
case("one-token completions", "spo", TWO, [1] * 7)
case("wild padding", "spo", TWO, LENGTHS, edit=wild_outside)
case("ordinary", "naive", TWO, LENGTHS)
case("unlikely worse answers weigh most", "naive", TWO, LENGTHS, edit=drifted)
case("unlikely worse answers weigh alike", "asympo", TWO, LENGTHS, edit=drifted, p_low=0.0, p_high=1.0)

target = pathlib.Path(__file__).with_name("vectors.json")
lines = ",\n".join(json.dumps(c) for c in cases)
target.write_text(f'{{"madeBy": "torch {torch.__version__}, python test/golden/objective/make.py", "cases": [\n{lines}\n]}}\n')
