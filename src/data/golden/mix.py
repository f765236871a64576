"""Writes mix.json: mixup and CutMix as torchvision computes them, for the test of mix.ts.

The formulas are those of RandomMixup and RandomCutmix in torchvision's references/classification/transforms.py, which
torchvision.transforms.v2.MixUp and CutMix share, in the same tensor operations, with the random numbers given.
Run again with PyTorch >= 1.13: `python3 src/data/golden/mix.py`, then `npx biome check --write src/data/golden`.
"""

import json
import math
import os

import torch

B, C, H, W, K = 3, 2, 5, 8, 4
images = (torch.arange(B * C * H * W).remainder(97) / 10 - 3).reshape(B, C, H, W)
targets = torch.nn.functional.one_hot(torch.tensor([2, 0, 3]), K).float()


def smoothed(target, s):
    return target * (1 - s) + s / K


def mixup(batch, target, own):
    return batch.roll(1, 0).mul(1 - own).add(batch.mul(own)), target.roll(1, 0).mul(1 - own).add(target.mul(own))


def cutmix(batch, target, own, x, y):
    half = 0.5 * math.sqrt(1.0 - own)
    half_width, half_height = int(half * W), int(half * H)
    x1, y1 = max(x - half_width, 0), max(y - half_height, 0)
    x2, y2 = min(x + half_width, W), min(y + half_height, H)
    mixed = batch.clone()
    mixed[:, :, y1:y2, x1:x2] = batch.roll(1, 0)[:, :, y1:y2, x1:x2]
    own = 1.0 - (x2 - x1) * (y2 - y1) / (W * H)
    return mixed, target.roll(1, 0).mul(1 - own).add(target.mul(own)), own


def listed(tensor):
    return [round(float(value), 6) for value in tensor.flatten()]


def case(name, **given):
    for_name = {"mixup": mixup, "cutmix": cutmix}[name]
    batch, target, *own = for_name(images, targets, **given)
    # label smoothing of PyTorch's loss comes after mixing; timm's comes before
    _, before, *_ = for_name(images, smoothed(targets, 0.1), **given)
    assert torch.allclose(before, smoothed(target, 0.1), atol=1e-7)
    return dict(name=name, given=given, own=(own or [given["own"]])[0], images=listed(batch), targets=listed(target), smoothed=listed(before))


cases = [case("mixup", own=own) for own in (0.3, 0.85, 1.0, 0.0)]
cases += [
    case("cutmix", own=own, x=x, y=y)
    for own, x, y in [(0.5, 4, 2), (0.2, 0, 0), (0.7, 7, 4), (0.99, 3, 3), (0.0, 4, 2), (1.0, 1, 1), (0.4, 7, 0)]
]
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "mix.json"), "w") as file:
    json.dump(dict(dims=[B, C, H, W], images=listed(images), targets=listed(targets), cases=cases), file)
    file.write("\n")
