"""Writes losses.json: PyTorch's losses of weighted classes and their gradients, for the test of losses.ts.

Targets are probabilities, as mixing and smoothing make them, and what timm's threshold for binary cross-entropy leaves of
them. Run again with PyTorch >= 1.10: `python3 src/step/golden/losses.py`, then `npx biome check --write src/step/golden`.
"""

import json
import os

import torch
from torch.nn import functional

torch.manual_seed(4)
N, K = 5, 4
logits = (torch.randn(N, K, dtype=torch.float64) * 3).requires_grad_()
targets = torch.softmax(torch.randn(N, K, dtype=torch.float64) * 2, 1)
hard = targets.gt(0.2).double()
weights = torch.tensor([0.25, 1.0, 3.0, 0.6], dtype=torch.float64)
ones = torch.ones(K, dtype=torch.float64)


def case(name, target, weight):
    loss = {
        "cross-entropy": lambda: functional.cross_entropy(logits, target, weight=weight),
        "binary-cross-entropy": lambda: functional.binary_cross_entropy_with_logits(logits, target, weight=weight),
    }[name]()
    (gradient,) = torch.autograd.grad(loss, logits)
    return dict(name=name, targets=target.flatten().tolist(), weights=weight.tolist(), loss=loss.item(), gradient=gradient.flatten().tolist())


cases = [case(name, target, weight) for name in ("cross-entropy", "binary-cross-entropy") for target in (targets, hard) for weight in (weights, ones)]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.json"), "w") as file:
    json.dump(dict(torch=torch.__version__, dims=[N, K], logits=logits.flatten().tolist(), cases=cases), file)
    file.write("\n")
