"""Makes schedules.json, learning rates of PyTorch's schedulers: python3 test/golden/make_schedules.py

README.md lists the contents.
"""

import json
import pathlib
import re
import warnings

import torch
from torch.optim import SGD, lr_scheduler

BASE, EPOCHS, WARMUP = 0.4, 12, 3

warnings.simplefilter("ignore")


def rates(make, count):
    optimizer = SGD([torch.zeros(1, requires_grad=True)], BASE, momentum=0.9)
    scheduler = make(optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def warm(make):
    def both(optimizer):
        rise = lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=WARMUP)
        return lr_scheduler.SequentialLR(optimizer, [rise, make(optimizer)], [WARMUP])

    return both


def one_cycle(steps):
    optimizer = SGD([torch.zeros(1, requires_grad=True)], BASE, momentum=0.9)
    scheduler = lr_scheduler.OneCycleLR(optimizer, BASE, total_steps=steps)
    found = []
    for step in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return found


def cosine(epochs, least):
    return lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, epochs, least)


SCHEDULES = {
    "step": lambda optimizer: lr_scheduler.StepLR(optimizer, 5, 0.3),
    "multi-step": lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [4, 10], 0.2),
    "cosine": cosine(EPOCHS, 0),
    "cosine to 0.01": cosine(EPOCHS, 0.01),
    "cosine after a warm-up": warm(cosine(EPOCHS - WARMUP, 0.01)),
    "step after a warm-up": warm(lambda optimizer: lr_scheduler.StepLR(optimizer, 5, 0.3)),
}

contents = {
    "torch": torch.__version__,
    "epochs": {name: rates(make, EPOCHS) for name, make in SCHEDULES.items()},
    "steps": {str(steps): one_cycle(steps) for steps in (2, 5, 10, 36, 100)},
}
path = pathlib.Path(__file__).with_name("schedules.json")
text = json.dumps(contents, indent=1)
path.write_text(re.sub(r",\n +(?=[\d.])", ", ", text) + "\n")
