"""Makes vectors.json: losses, metrics and gradients of GRPO, ASymPO and SFT from their equations, by PyTorch autograd in float64.

Written from the papers (arXiv 2402.03300, 2503.14476, 2606.03070), not from our code: groups, advantages and normalisers are
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


def grpo(logp, old, mask, groups, low, high):
    advantages = []
    for rewards in groups:
        r = torch.tensor(rewards)
        advantages.append((r - r.mean()) / (r.std(unbiased=True) + 1e-8) if len(rewards) > 1 else torch.zeros(1))
    a = torch.cat(advantages)
    total, clipped, ratios = torch.zeros(()), 0, torch.zeros(())
    for row in range(len(a)):
        for t in range(T):
            if mask[row, t] == 0:
                continue
            rho = torch.exp(logp[row, t] - old[row, t])
            free, bounded = rho * a[row], torch.clamp(rho, 1 - low, 1 + high) * a[row]
            total = total + torch.minimum(free, bounded)
            clipped += int(bounded < free)
            ratios = ratios + rho
    tokens = mask.sum()
    metrics = {"tokens": tokens, "clippedTokens": clipped, "ratio": ratios, "nll": -(logp * mask).nan_to_num().sum()}
    return a, -total / max(1.0, tokens.item()), metrics


def asympo(logp, old, mask, groups, p_low=0.02, p_high=0.98, floor=1e-3):
    a = torch.cat([torch.tensor(r) - torch.tensor(r).mean() for r in groups])
    loss, row = torch.zeros(()), 0
    clipped_low = clipped_high = 0
    surprises = torch.zeros(())
    for rewards in groups:
        inner = torch.zeros(())
        for _ in rewards:
            picked = [logp[row, t] for t in range(T) if mask[row, t] == 1]
            if picked:
                x = torch.stack(picked)
                if a[row] >= 0:
                    l, clipped_high = torch.clamp(x, max=math.log(p_high)), clipped_high + int((x > math.log(p_high)).sum())
                else:
                    l, clipped_low = torch.clamp(x, min=math.log(p_low)), clipped_low + int((x < math.log(p_low)).sum())
                s = -l.mean()
                surprises = surprises + s
                inner = inner + a[row] * s / torch.clamp(s, min=floor).detach()
            row += 1
        loss = loss + inner / len(rewards)
    metrics = {"tokens": mask.sum(), "clippedHigh": clipped_high, "clippedLow": clipped_low,
               "nll": -(logp * mask).nan_to_num().sum(), "surprise": surprises}
    return a, loss / len(groups), metrics


def sft(logp, old, mask, groups):
    a = torch.zeros(sum(map(len, groups)))
    return a, -(logp * mask).sum() / mask.sum(), {}


def case(name, objective, groups, lengths, sharpness=1.0, moved=None, edit=None, **options):
    rows = sum(map(len, groups))
    logits = torch.randn(rows, T, V) * sharpness
    targets = torch.randint(0, V, (rows, T))
    mask = spans(lengths)
    if edit:
        edit(logits, targets, mask)
    logp = rounded(torch.log_softmax(logits, -1).gather(-1, targets[..., None])[..., 0]).requires_grad_()
    shift = torch.zeros(rows, T) if moved is None else moved * torch.randn(rows, T)
    old = rounded(torch.where(mask == 1, logp.detach() + shift, torch.zeros(rows, T)))
    advantages, loss, metrics = {"grpo": grpo, "asympo": asympo, "sft": sft}[objective](logp, old, mask, groups, **options)
    if loss.requires_grad:
        loss.backward()
    gradient = torch.zeros_like(logp) if logp.grad is None else logp.grad
    cases.append({
        "name": name, "objective": objective, "groups": groups, "lengths": lengths, "shape": [rows, T],
        "clip": {"clipLow": options.get("low", 0.2), "clipHigh": options.get("high", 0.28)},
        "logprobs": digits(logp), "mask": digits(mask), "behavior": digits(old),
        "advantages": digits(advantages), "loss": float(f"{loss.item():.8g}"), "gradient": digits(gradient),
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


TWO, LENGTHS = [[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0]], [3, 5, 1, 4, 2, 5, 3]
EQUAL = [[1.0, 1.0, 1.0], [0.0, 0.0]]
low_high = {"low": 0.2, "high": 0.28}
case("first epoch: the ratio is 1", "grpo", TWO, LENGTHS, **low_high)
case("clipped on both sides", "grpo", TWO, LENGTHS, moved=0.6, **low_high)
case("tight bounds", "grpo", TWO, LENGTHS, moved=0.3, low=0.05, high=0.05)
case("graded rewards", "grpo", [[0.1, 0.7, 0.4, 0.4]], [5, 2, 3, 1], moved=0.2, **low_high)
case("equal rewards", "grpo", EQUAL, [2, 3, 1, 4, 2], moved=0.6, **low_high)
case("one-token completions", "grpo", TWO, [1] * 7, moved=0.3, **low_high)
case("an empty row", "grpo", TWO, [3, 0, 1, 4, 2, 0, 3], moved=0.3, **low_high)
case("wild padding", "grpo", TWO, LENGTHS, moved=0.3, edit=wild_outside, **low_high)
case("certain tokens", "grpo", TWO, LENGTHS, edit=certain, **low_high)
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

target = pathlib.Path(__file__).with_name("vectors.json")
lines = ",\n".join(json.dumps(c) for c in cases)
target.write_text(f'{{"madeBy": "torch {torch.__version__}, python test/golden/objective/make.py", "cases": [\n{lines}\n]}}\n')
