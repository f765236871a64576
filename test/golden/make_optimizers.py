"""Makes optimizers.safetensors, all optimizers, clipping, averaging and binary cross-entropy: python3 test/golden/make_optimizers.py

Computed in float64; states of the network are rounded to float32. README.md lists the contents.
"""

import sys

sys.dont_write_bytecode = True

import copy
import json
import pathlib

import torch
from torch.nn import functional

import tensorfile
from cases import imagenet
from make import probabilities, randomise
from oracle import Oracle

ADAMW = {
    "default": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.01},
    "no-decay": {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3, "weightDecay": 0},
    "no-momentum": {"beta1": 0, "beta2": 0.9, "epsilon": 1e-8, "weightDecay": 0.3},
}
RATES = [0.1, 0.1, 0.03, 0.01]

CONFIG = imagenet([1, 1], 4, 16, 16, 4, [32, 24], outputStride=0)
SETTINGS = {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3}
BATCH, STEPS, RATE, DECAY, AVERAGE = 4, 4, 0.003, 0.05, 0.8
LARGEST = 2400  # elements of a tensor whose final state is kept


LAMB = {
    "lamb": {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-6, "maxGradientNorm": 1.0, "weightDecay": 0.02},
    "lamb, unclipped": {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-3, "maxGradientNorm": 100.0, "weightDecay": 0.3},
}
RMSPROP = {
    "rmsprop": {"alpha": 0.99, "epsilon": 1e-8, "momentum": 0, "weightDecay": 0},
    "rmsprop, momentum": {"alpha": 0.9, "epsilon": 0.0316, "momentum": 0.9, "weightDecay": 0.05},
}
NETWORKS = {
    "sgd": {"rate": 0.05, "decay": 0.01, "settings": {"momentum": 0.9, "nesterov": True}},
    "lamb": {
        "rate": 0.01,
        "decay": 0.05,
        "settings": {"beta1": 0.9, "beta2": 0.99, "epsilon": 0.05, "maxGradientNorm": 0.25},
    },
    "rmsprop": {
        "rate": 0.0005,
        "decay": 0.05,
        "settings": {"alpha": 0.9, "epsilon": 0.1, "momentum": 0.9},
    },
}
ALONE = {"adamw": ADAMW, "lamb": LAMB, "rmsprop": RMSPROP}
CLIP, LONG = 0.25, 20


class Lamb(torch.optim.Optimizer):
    """LAMB as in timm: gradients clipped by their common norm, the step of a decayed weight as long as the weight."""

    def __init__(self, groups, lr, beta1, beta2, epsilon, maxGradientNorm, weight_decay=0):
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})
        self.settings = beta1, beta2, epsilon, maxGradientNorm
        self.count = 0

    @torch.no_grad()
    def step(self):
        beta1, beta2, epsilon, limit = self.settings
        self.count += 1
        everything = [p for group in self.param_groups for p in group["params"]]
        norm = torch.sqrt(sum((p.grad**2).sum() for p in everything))
        for group in self.param_groups:
            decay = group["weight_decay"]
            for p in group["params"]:
                g = p.grad / max(1.0, float(norm) / limit)
                state = self.state[p]
                m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
                v = state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g * g
                u = (m / (1 - beta1**self.count)) / ((v / (1 - beta2**self.count)).sqrt() + epsilon) + decay * p
                length, step = float(p.norm()), float(u.norm())
                ratio = length / step if decay and length and step else 1.0
                p -= group["lr"] * ratio * u


def optimizer_of(name, parameters, rate, settings, **options):
    rest = {key: value for key, value in settings.items() if key != "weightDecay"}
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=rate, **rest, **options)
    if name == "lamb":
        return Lamb(parameters, lr=rate, **rest, **options)
    if name == "rmsprop":
        renamed = {"eps" if key == "epsilon" else key: value for key, value in rest.items()}
        return torch.optim.RMSprop(parameters, lr=rate, **renamed, **options)
    return adamw(parameters, **rest, lr=rate, **options)


def adamw(parameters, beta1, beta2, epsilon, **options):
    return torch.optim.AdamW(parameters, betas=(beta1, beta2), eps=epsilon, **options)


def updates(tensors):
    shapes = {"a": (3,), "b": (2, 2)}
    tensors |= {f"start.{key}": torch.randn(shape).double() for key, shape in shapes.items()}
    for step in range(len(RATES)):
        tensors |= {f"grad.{step}.{key}": torch.randn(shape).double() for key, shape in shapes.items()}
    cases = [(optimizer, *case) for optimizer, named in ALONE.items() for case in named.items()]
    for kind, name, case in cases:
        weights = {key: tensors[f"start.{key}"].clone().requires_grad_() for key in shapes}
        optimizer = optimizer_of(kind, weights.values(), RATES[0], case, weight_decay=case["weightDecay"])
        for step, rate in enumerate(RATES):
            optimizer.param_groups[0]["lr"] = rate
            for key, weight in weights.items():
                weight.grad = tensors[f"grad.{step}.{key}"].clone()
            optimizer.step()
            tensors |= {f"{name}.{step}.{key}": weight.detach().clone() for key, weight in weights.items()}


def losses(tensors):
    """Both losses by their logits: ordinary ones, and some so large that exp would overflow in float32."""
    logits = torch.cat([torch.randn(3, 5) * 3, torch.tensor([[0.0, -0.0, 100.0, -100.0, 30.0]])])
    targets = torch.rand(4, 5)
    for name, function in {
        "cross-entropy": functional.cross_entropy,
        "binary-cross-entropy": functional.binary_cross_entropy_with_logits,
    }.items():
        z = logits.double().requires_grad_()
        loss = function(z, targets.double())
        loss.backward()
        tensors |= {f"{name}.loss": loss.detach(), f"{name}.grad": z.grad}
    tensors |= {"loss.logits": logits, "loss.targets": targets}


def train(start, x, targets):
    """AdamW on binary cross-entropy, with decay on what is no vector, and the average of parameters and statistics."""
    model = copy.deepcopy(start).train()
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": DECAY},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0},
    ]
    optimizer = adamw(groups, **SETTINGS, lr=RATE)
    average = {name: value.clone() for name, value in model.state_dict().items() if "num_batches" not in name}
    found = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(model(x), targets)
        loss.backward()
        optimizer.step()
        found.append(loss.detach())
        for name, value in model.state_dict().items():
            if name in average:
                average[name] = AVERAGE * average[name] + (1 - AVERAGE) * value
    return torch.stack(found), model.state_dict(), average


def network(tensors):
    model = Oracle(CONFIG)
    randomise(model)
    x, targets = torch.randn(BATCH, 3, *CONFIG["inputSize"]), probabilities(BATCH, CONFIG["classes"])
    tensors |= {f"state.{name}": value.clone() for name, value in model.state_dict().items()}
    tensors |= {"input": x, "targets": targets}
    found, final, average = train(model.double(), x.double(), targets.double())
    tensors["losses"] = found
    for kind, case in NETWORKS.items():
        found, state = train_long(model.double(), x.double(), targets.double(), kind, case)
        tensors[f"{kind}.losses"] = found
        kept = {name: value for name, value in state.items() if "num_batches" not in name and value.numel() <= LARGEST}
        tensors |= {f"{kind}.final.{name}": value.float() for name, value in kept.items()}
    for prefix, state in {"final.": final, "average.": average}.items():
        kept = {name: value for name, value in state.items() if "num_batches" not in name and value.numel() <= LARGEST}
        tensors |= {prefix + name: value.float() for name, value in kept.items()}


def train_long(start, x, targets, kind, case):
    """Twenty steps on cross-entropy; gradients of SGD are clipped."""
    model = copy.deepcopy(start).train()
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": case["decay"]},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0},
    ]
    optimizer = optimizer_of(kind, groups, case["rate"], case["settings"])
    found = []
    for _ in range(LONG):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), targets)
        loss.backward()
        if kind == "sgd":
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        found.append(loss.detach())
    return torch.stack(found), model.state_dict()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(12)
    tensors = {}
    updates(tensors)
    losses(tensors)
    network(tensors)
    facts = {
        "alone": ALONE,
        "networks": NETWORKS,
        "clipNorm": CLIP,
        "learningRates": RATES,
        "config": CONFIG,
        "settings": SETTINGS,
        "learningRate": RATE,
        "weightDecay": DECAY,
        "average": AVERAGE,
    }
    metadata = {key: json.dumps(value) for key, value in facts.items()}
    path = pathlib.Path(__file__).resolve().parent / "optimizers.safetensors"
    tensorfile.write(path, tensors, {**metadata, "torch": torch.__version__})
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
