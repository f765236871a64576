"""Makes optimizers.safetensors, AdamW, averaging and binary cross-entropy: python3 test/golden/make_optimizers.py

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


def adamw(parameters, beta1, beta2, epsilon, **options):
    return torch.optim.AdamW(parameters, betas=(beta1, beta2), eps=epsilon, **options)


def updates(tensors):
    shapes = {"a": (3,), "b": (2, 2)}
    tensors |= {f"start.{key}": torch.randn(shape).double() for key, shape in shapes.items()}
    for step in range(len(RATES)):
        tensors |= {f"grad.{step}.{key}": torch.randn(shape).double() for key, shape in shapes.items()}
    for name, case in ADAMW.items():
        weights = {key: tensors[f"start.{key}"].clone().requires_grad_() for key in shapes}
        settings = {key: value for key, value in case.items() if key != "weightDecay"}
        optimizer = adamw(weights.values(), **settings, lr=RATES[0], weight_decay=case["weightDecay"])
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
    for prefix, state in {"final.": final, "average.": average}.items():
        kept = {name: value for name, value in state.items() if "num_batches" not in name and value.numel() <= LARGEST}
        tensors |= {prefix + name: value.float() for name, value in kept.items()}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(12)
    tensors = {}
    updates(tensors)
    losses(tensors)
    network(tensors)
    facts = {
        "adamw": ADAMW,
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
