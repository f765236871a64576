"""Makes learning-rates.json, what fastai's lr_find makes of curves: python3 test/golden/make_learning_rates.py

README.md lists the contents. The rules are written down here from their definition; fastai is not needed.
"""

import json
import math
import pathlib

import torch

STEPS, LOW, HIGH, BETA = 100, 1e-7, 10.0, 0.98


def noise(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(STEPS, generator=generator, dtype=torch.float64).tolist()


def rate(step):
    return LOW * (HIGH / LOW) ** (step / STEPS)


def falling(step, random):
    """Flat, then a fall around 1e-3, then a blow-up above 0.5."""
    x = math.log10(rate(step))
    return 2.3 - 1.2 / (1 + math.exp(-2.5 * (x + 3))) + math.exp(4 * (x + 0.3)) + 0.08 * random


def shallow(step, random):
    x = math.log10(rate(step))
    return 1.4 - 0.15 / (1 + math.exp(-3 * (x + 1.5))) + 0.1 * random


def exploding(step, random):
    x = math.log10(rate(step))
    return math.nan if step == 60 else 3 - 0.3 * (x + 7) + 0.02 * random


def smooth(losses):
    value, count, found, best = 0.0, 0, [], math.inf
    for loss in losses:
        value = BETA * value + (1 - BETA) * loss
        count += 1
        found.append(value / (1 - BETA**count))
        best = min(best, found[-1])
        if found[-1] > 4 * best:
            break
    return found


def valley(rates, losses):
    lengths, start, end = [1] * len(losses), 0, 0
    for i in range(1, len(losses)):
        for j in range(i):
            if losses[i] < losses[j] and lengths[i] < lengths[j] + 1:
                lengths[i] = lengths[j] + 1
            if lengths[end] < lengths[i]:
                start, end = i - lengths[i], i
    third = (end - start) / 3
    return rates[start + int(third) + int(third / 2)]


def suggest(losses):
    smoothed = smooth(losses)
    rates = torch.tensor([rate(step) for step in range(len(smoothed))], dtype=torch.float64)
    kept, used = rates[STEPS // 10 : -5], torch.tensor(smoothed, dtype=torch.float64)[STEPS // 10 : -5]
    broken = torch.nonzero(torch.isnan(used)).view(-1)
    if len(broken) > 0:
        kept, used = kept[: broken[0]], used[: broken[0]]
    slopes = (used[1:] - used[:-1]) / (kept[1:].log() - kept[:-1].log())
    return {
        "steps": len(smoothed),
        "smoothed": None if math.isnan(smoothed[-1]) else smoothed[-1],
        "valley": valley(kept.tolist(), used.tolist()),
        "steepest": kept[slopes.argmin()].item(),
        "minimum": kept[used.argmin()].item() / 10,
    }


def main():
    cases = {}
    for seed, curve in enumerate([falling, shallow, exploding]):
        losses = [round(curve(step, random), 6) for step, random in enumerate(noise(seed))]
        finite = [None if math.isnan(loss) else loss for loss in losses]
        cases[curve.__name__] = {"losses": finite, **suggest(losses)}
    text = json.dumps({"torch": torch.__version__, "cases": cases}) + "\n"
    pathlib.Path(__file__).with_name("learning-rates.json").write_text(text)


main()
