"""Makes steps.safetensors, more of a training step than make_optimizers.py: python3 test/golden/make_steps.py

Drop path and dropout with given masks, and twenty steps with momentum, with AdamW and its averages, and of batches in two
parts. Computed in float64; states are rounded to float32. README.md lists the contents.
"""

import sys

sys.dont_write_bytecode = True

import copy
import json
import pathlib

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck

import tensorfile
from cases import SE_D, cifar, extended
from make import probabilities, randomise
from make_optimizers import CONFIG, adamw
from oracle import Oracle

HERE = pathlib.Path(__file__).resolve().parent
PLAIN_RATE = 0.005  # a step of plain momentum at which no ReLU flips by rounding
LARGEST = 600  # elements of a tensor whose final state is kept
STEPS, RATE, MOMENTUM, DECAY = 20, 0.01, 0.9, 0.01
ADAMW = {"rate": 0.003, "decay": 0.05, "settings": {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3}}
PARTS = 2
AVERAGES = {
    "constant": {"average": 0.8},
    "third": {"average": 0.8, "averageEvery": 3},
    "warmup": {"average": 0.8, "averageWarmup": True},
    "third-warmup": {"average": 0.5, "averageEvery": 3, "averageWarmup": True},
}

MASKED = {
    "plain": cifar([2, 1], 4, 16, 16, 5, [16, 12]),
    "se": extended([2], 2, 32, 16, 5, [32, 32], **SE_D),
}
DROP_PATH, DROPOUT, BATCH, MASKED_STEPS = 0.5, 0.25, 6, 4


def optimizer_of(model, kind):
    decay = ADAMW["decay"] if kind == "adamw" else DECAY
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0},
    ]
    if kind == "adamw":
        return adamw(groups, **ADAMW["settings"], lr=ADAMW["rate"])
    if kind == "momentum":
        return torch.optim.SGD(groups, lr=PLAIN_RATE, momentum=MOMENTUM)
    return torch.optim.SGD(groups, lr=RATE, momentum=MOMENTUM, nesterov=True)


def floats(model):
    return {name: value.clone() for name, value in model.state_dict().items() if "num_batches" not in name}


def kept(prefix, state):
    return {prefix + name: value.float() for name, value in state.items() if value.numel() <= LARGEST}


def decay_at(step, average, averageEvery=1, averageWarmup=False):
    """The decay of the average in a step, counted from 1: timm's ModelEmaV3 with gamma 1 and power 2/3."""
    if step % averageEvery:
        return 1
    if not averageWarmup:
        return average
    s = step // averageEvery - 1
    return min(average, 1 - (1 + s) ** (-2 / 3)) if s > 0 else 0


def train(start, x, targets, kind, parts=1):
    model = copy.deepcopy(start).train()
    optimizer = optimizer_of(model, kind)
    averages = {name: floats(model) for name in AVERAGES}
    losses = []
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        total = 0
        for part in range(parts):
            rows = slice(part * len(x) // parts, (part + 1) * len(x) // parts)
            loss = functional.cross_entropy(model(x[rows]), targets[rows]) / parts
            loss.backward()
            total += loss.detach()
        optimizer.step()
        losses.append(total)
        for name, settings in AVERAGES.items():
            d = decay_at(step, **settings)
            for key, value in floats(model).items():
                averages[name][key] = d * averages[name][key] + (1 - d) * value
    return torch.stack(losses), floats(model), averages


def long_runs(tensors):
    """From the network of optimizers.safetensors, and its images."""
    given, _ = tensorfile.read(HERE / "optimizers.safetensors")
    model = Oracle(CONFIG)
    model.load_state_dict({name[6:]: value for name, value in given.items() if name.startswith("state.")})
    model, x, targets = model.double(), given["input"].double(), given["targets"].double()
    for kind, parts in {"momentum": 1, "adamw": 1, "parts": PARTS}.items():
        losses, final, averages = train(model, x, targets, kind, parts)
        tensors |= {f"{kind}.losses": losses, **kept(f"{kind}.final.", final)}
        if kind == "adamw":
            for name, average in averages.items():
                tensors |= kept(f"{kind}.{name}.", average)


def masked(model, masks):
    """Multiplies branches and the classifier's input with the masks of each step."""
    model = copy.deepcopy(model).train()
    step = {"t": 0}
    blocks = [module for module in model.modules() if isinstance(module, Bottleneck)]
    for j, block in enumerate(blocks):
        if j == 0:
            continue
        last = block.se if hasattr(block, "se") and not isinstance(block.se, nn.Identity) else block.bn3
        last.register_forward_hook(lambda _, __, y, j=j: y * masks[f"dropPath.{j}"][step["t"]][:, None, None, None])
    model.fc.register_forward_pre_hook(lambda _, args: (args[0] * masks["dropout"][step["t"]],))
    return model, step


def masked_run(start, x, targets, masks):
    model, step = masked(start, masks)
    optimizer = optimizer_of(model, "nesterov")
    losses = []
    for t in range(MASKED_STEPS):
        step["t"] = t
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses), floats(model)


def bernoulli(rate, *dims):
    """0 where dropped, 1/(1 - rate) elsewhere; each step drops something."""
    return (torch.rand(MASKED_STEPS, *dims) >= rate).float() / (1 - rate)


def masks_of(config, features):
    n = sum(config["depths"])
    rates = {f"dropPath.{j}": DROP_PATH * j / (n - 1) for j in range(1, n)}
    masks = {name: bernoulli(rate, BATCH) for name, rate in rates.items()}
    return {**masks, "dropout": bernoulli(DROPOUT, BATCH, features)}


def masked_runs(tensors):
    """Starts whose float32 run stays close to the float64 run, so that no ReLU flips by rounding."""
    for name, config in MASKED.items():
        for attempt in range(1000):
            torch.manual_seed(attempt)
            model = Oracle(config)
            randomise(model)
            x, targets = torch.randn(BATCH, 3, *config["inputSize"]), probabilities(BATCH, config["classes"])
            masks = masks_of(config, model.fc.in_features)
            exact = {key: value.double() for key, value in masks.items()}
            losses, final = masked_run(copy.deepcopy(model).double(), x.double(), targets.double(), exact)
            _, near = masked_run(model, x, targets, masks)
            error = max(float((near[key] - final[key]).norm() / final[key].norm()) for key in final)
            if error < 2e-6:
                break
        print(f"{name}: seed {attempt}, float32 differs by {error:.1e}")
        tensors |= {f"{name}.state.{key}": value for key, value in model.state_dict().items()}
        tensors |= {f"{name}.input": x, f"{name}.targets": targets, f"{name}.losses": losses}
        tensors |= {f"{name}.mask.{key}": value for key, value in masks.items()}
        tensors |= kept(f"{name}.final.", final)


def main():
    torch.set_num_threads(1)
    tensors = {}
    long_runs(tensors)
    masked_runs(tensors)
    facts = {
        "learningRate": RATE,
        "plainRate": PLAIN_RATE,
        "momentum": MOMENTUM,
        "weightDecay": DECAY,
        "adamw": ADAMW,
        "averages": AVERAGES,
        "parts": PARTS,
        "masked": MASKED,
        "rates": {"dropPath": DROP_PATH, "dropout": DROPOUT},
    }
    metadata = {key: json.dumps(value) for key, value in facts.items()}
    path = HERE / "steps.safetensors"
    tensorfile.write(path, tensors, {**metadata, "torch": torch.__version__})
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
