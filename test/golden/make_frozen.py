"""Makes frozen.safetensors, fine-tuning with frozen parts: python3 test/golden/make_frozen.py

Frozen modules are in evaluation mode with requires_grad False; the rest trains. Computed in float64; final states are rounded to float32. README.md
lists the contents.
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

CONFIG = imagenet([1, 1], 4, 16, 16, 4, [32, 24], outputStride=0)
CASES = {"prefix": ["stem", "layer1"], "middle": ["layer1"], "backbone": ["stem", "layer1", "layer2"]}
MODULES = {"stem": ["conv1", "bn1"], "layer1": ["layer1"], "layer2": ["layer2"]}
BATCH, STEPS, RATE, BACKBONE_RATE, DECAY = 4, 3, 0.02, 0.005, 1e-4
LARGEST = 2400  # elements of a tensor whose final state is kept


def fine_tune(start, x, targets, frozen):
    """The loss before each step and the state after them."""
    model = copy.deepcopy(start).train()
    for name in (module for part in frozen for module in MODULES[part]):
        model.get_submodule(name).requires_grad_(False).eval()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    head = [p for name, p in trained.items() if name.startswith("fc.")]
    rest = [p for name, p in trained.items() if not name.startswith("fc.")]
    groups = [{"params": head}, *([{"params": rest, "lr": BACKBONE_RATE}] if rest else [])]
    sgd = torch.optim.SGD(groups, lr=RATE, momentum=0.9, nesterov=True, weight_decay=DECAY)
    losses = []
    for _ in range(STEPS):
        sgd.zero_grad()
        loss = functional.cross_entropy(model(x), targets)
        loss.backward()
        sgd.step()
        losses.append(loss.detach())
    return torch.stack(losses), model.state_dict()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(11)
    model = Oracle(CONFIG)
    randomise(model)
    x, targets = torch.randn(BATCH, 3, *CONFIG["inputSize"]), probabilities(BATCH, CONFIG["classes"])
    tensors = {f"state.{name}": value.clone() for name, value in model.state_dict().items()}
    tensors |= {"input": x, "targets": targets}
    model, x, targets = model.double(), x.double(), targets.double()
    for case, frozen in CASES.items():
        losses, final = fine_tune(model, x, targets, frozen)
        tensors[f"{case}.losses"] = losses
        for name, value in final.items():
            start = tensors[f"state.{name}"]
            if "num_batches" in name or value.numel() > LARGEST or torch.equal(value, start.double()):
                continue
            tensors[f"{case}.final.{name}"] = value.float()
    facts = {"config": CONFIG, "cases": CASES, "learningRate": RATE, "backboneRate": BACKBONE_RATE / RATE}
    metadata = {key: json.dumps(value) for key, value in facts.items()}
    path = pathlib.Path(__file__).resolve().parent / "frozen.safetensors"
    tensorfile.write(path, tensors, {**metadata, "torch": torch.__version__})
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
