"""Makes vectors.json: ten steps of torch.optim.AdamW with clip_grad_norm_, weight decay on the matrix only.

Run: python test/golden/optim/make.py
"""
import json
import pathlib

import torch

torch.manual_seed(7)
matrix, gain = (torch.nn.Parameter(torch.randn(4, 3)), torch.nn.Parameter(torch.ones(5)))
options = {"beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weightDecay": 0.1}
optimizer = torch.optim.AdamW(
    [{"params": [matrix], "weight_decay": options["weightDecay"]}, {"params": [gain], "weight_decay": 0.0}],
    betas=(options["beta1"], options["beta2"]), eps=options["epsilon"], foreach=False)
flat = lambda tensors: [float(f"{v:.9g}") for t in tensors for v in t.detach().reshape(-1).tolist()]
steps, start, max_norm = [], flat([matrix, gain]), 1.5
for step in range(10):
    rate = 0.01 * (step + 1)
    size = 2.0 if step % 3 == 0 else 0.1  # some steps are clipped, some not
    gradient = [torch.randn(4, 3) * size, torch.randn(5) * size]
    if step == 6:
        gradient = [torch.zeros(4, 3), torch.zeros(5)]
    matrix.grad, gain.grad = gradient[0].clone(), gradient[1].clone()
    for group in optimizer.param_groups:
        group["lr"] = rate
    norm = torch.nn.utils.clip_grad_norm_([matrix, gain], max_norm).item()
    optimizer.step()
    steps.append({"learningRate": rate, "gradient": flat(gradient), "norm": norm, "weights": flat([matrix, gain])})
target = pathlib.Path(__file__).with_name("vectors.json")
target.write_text(json.dumps({"madeBy": f"torch {torch.__version__}, python test/golden/optim/make.py", "options": options, "maxNorm": max_norm,
                              "spans": [12, 5], "weights": start, "steps": steps}) + "\n")
