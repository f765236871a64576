"""Writes augment.json: what Pillow and torchvision make of small images, for the tests of operations and policies.

Results are the SHA-256 of the bytes. Inputs are made again by test/golden-images.ts. Operations are torchvision's own
`_apply_op` or Pillow's functions. Whole policies are torchvision's own, with the numbers that they draw recorded for the
test to repeat. Run again with Pillow >= 9.1 and torchvision >= 0.13: `python3 src/data/golden/augment.py`, then
`npx biome check --write src/data/golden`.
"""

import hashlib
import json
import os
from unittest import mock

import PIL
import torch
import torchvision
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torchvision.transforms import AutoAugment, AutoAugmentPolicy, InterpolationMode, RandAugment, TrivialAugmentWide
from torchvision.transforms import autoaugment
from torchvision.transforms import functional as F

RESAMPLE = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
TORCHVISION = {"nearest": InterpolationMode.NEAREST, "bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def noise(seed, width, height, mode="RGB"):
    """The noise of make.py: every other row is black or white."""
    data = bytearray()
    length = width * len(Image.new(mode, (1, 1)).getbands())
    for y in range(height):
        for _ in range(length):
            seed = (seed * 1664525 + 1013904223) % 2**32
            data.append(seed >> 24 if y % 2 else 255 * (seed >> 31))
    return Image.frombytes(mode, (width, height), bytes(data))


def slopes(width, height, mode="RGB"):
    """A few levels between 60 and 200, with slopes across and down."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = [60 + (x * (3 + c) + y * (5 - c)) % (80 + 30 * c) for y in range(height) for x in range(width) for c in range(bands)]
    return Image.frombytes(mode, (width, height), bytes(pixels))


IMAGES = {
    "noise": noise(5, 24, 17),
    "slopes": slopes(61, 47),
    "square": slopes(20, 20),
    "gray": noise(6, 24, 17, "L"),
    "flat": Image.new("RGB", (9, 5), (10, 200, 77)),
    "tiny": noise(7, 2, 1),
    "odd": noise(8, 23, 31),
}


def sha(image):
    return hashlib.sha256(image.tobytes()).hexdigest()[:32]


def torchvision_op(image, name, value, interpolation, fill):
    magnitude = value - 1 if name in ("Brightness", "Color", "Contrast", "Sharpness") else value
    return autoaugment._apply_op(image, name, magnitude, TORCHVISION[interpolation], fill)


def direct(image, name, value, interpolation, fill):
    """Pillow itself, where torchvision has no such operation or does not pass on the same number."""
    if name == "SolarizeAdd":
        table = [min(255, i + value) if i < 128 else i for i in range(256)]
        return image.point(table * len(image.getbands()))
    if name == "Rotate":
        return image.rotate(value, RESAMPLE[interpolation], fillcolor=fill)
    if name in ("Brightness", "Color", "Contrast", "Sharpness"):
        return getattr(ImageEnhance, name)(image).enhance(value)
    matrix = {
        "ShearX": (1, value, 0, 0, 1, 0),
        "ShearY": (1, 0, 0, value, 1, 0),
        "TranslateX": (1, 0, -value, 0, 1, 0),
        "TranslateY": (1, 0, 0, 0, 1, -value),
    }[name]
    return image.transform(image.size, Image.AFFINE, matrix, RESAMPLE[interpolation], fillcolor=fill)


VALUES = {
    "Identity": [0],
    "ShearX": [0.3, -0.09, 0.99, 0.0],
    "ShearY": [0.27, -0.99, 0.15],
    "TranslateX": [5, -32, 0],
    "TranslateY": [7, -3],
    "Rotate": [9.0, -30.0, 135.0, -4.5, 90.0, 180.0, 270.0, 0.0, 27.123],
    "Brightness": [0.01, 0.73, 1.27, 1.99, 0.0, 1.0],
    "Color": [0.01, 0.73, 1.27, 1.99, 0.0, 1.0],
    "Contrast": [0.01, 0.73, 1.27, 1.99, 0.0, 1.0],
    "Sharpness": [0.01, 0.73, 1.27, 1.99, 0.0, 1.0],
    "Posterize": [8, 7, 4, 2, 0],
    "Solarize": [178.5, 255.0, 0.0, 127.5, 26],
    "AutoContrast": [0],
    "Equalize": [0],
    "Invert": [0],
}
DIRECT = {
    "SolarizeAdd": [99, 0, 128],
    "Rotate": [27.0, -13.37, 333.0, 90.0, 180.0, 174.74868596381378],
    "TranslateX": [9.72, -3.3],
    "TranslateY": [6.885, -0.5],
    "ShearX": [0.27, -0.135, 0.99],
    "ShearY": [0.27, -0.27, 0.15],
    "Color": [1.81, 0.19, 1.72],
}
GEOMETRY = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")


def operations():
    cases = []
    for apply, values in ((torchvision_op, VALUES), (direct, DIRECT)):
        for name, levels in values.items():
            for value in levels:
                for interpolation in ["nearest"] if name not in GEOMETRY or apply is torchvision_op and "Shear" in name else RESAMPLE:
                    fill = [0, 0, 0] if apply is torchvision_op else [124, 116, 104]
                    for key, image in IMAGES.items():
                        bands = len(image.getbands())
                        own = tuple(fill[:bands]) if bands == 3 else fill[0]
                        if apply is torchvision_op:
                            result = apply(image, name, value, interpolation, list(map(float, fill[:bands])))
                        else:
                            result = apply(image, name, value, interpolation, own)
                        cases.append([key, name, value, interpolation, fill[:bands], sha(result)])
    return cases


def recorded(transform, image):
    """The result of a policy, and each number that it drew as a fraction of its range."""
    draws = []
    randint, rand = torch.randint, torch.rand

    def drawn_int(high, size, **options):
        values = randint(high, size, **options)
        draws.extend((int(value) + 0.5) / high for value in values)
        return values

    def drawn(size):
        values = rand(size, dtype=torch.float64)
        draws.extend(float(value) for value in values)
        return values

    with mock.patch.object(torch, "randint", drawn_int), mock.patch.object(torch, "rand", drawn):
        result = transform(image)
    return [draws, sha(result)]


def policies():
    torch.manual_seed(3)
    made = {
        "rand-augment": RandAugment(),
        "bilinear": RandAugment(magnitude=20, interpolation=InterpolationMode.BILINEAR, fill=[124, 116, 104]),
        "trivial-augment": TrivialAugmentWide(),
        "imagenet": AutoAugment(AutoAugmentPolicy.IMAGENET),
        "cifar10": AutoAugment(AutoAugmentPolicy.CIFAR10),
    }
    return {name: [recorded(policy, IMAGES["slopes"]) for _ in range(60)] for name, policy in made.items()}


def spaces():
    """The magnitudes of torchvision for images of 24 x 17 and 331 x 224 pixels."""
    size = [(24, 17), (331, 224)]
    rand = [RandAugment()._augmentation_space(31, (height, width)) for width, height in size]
    auto = [AutoAugment()._augmentation_space(10, (height, width)) for width, height in size]
    wide = [TrivialAugmentWide()._augmentation_space(31) for _ in size]

    def listed(space):
        return {name: [values.tolist() if values.ndim else [], signed] for name, (values, signed) in space.items()}

    return {key: [listed(each) for each in both] for key, both in (("rand", rand), ("auto", auto), ("wide", wide))}


def effects():
    """Hue, blur, and mirroring top and bottom."""
    color = {key: image for key, image in IMAGES.items() if image.mode == "RGB"}
    hue = [[key, turn, sha(F.adjust_hue(image, turn))] for key, image in color.items() for turn in (0.1, -0.1, 0.5, -0.5, 0.0)]
    blur = [
        [key, sigma, sha(image.filter(ImageFilter.GaussianBlur(sigma)))]
        for key, image in IMAGES.items()
        for sigma in (0.1, 0.4, 0.77, 1.0, 1.5, 2.0, 7.3)
    ]
    return dict(hue=hue, blur=blur, flip=[[key, sha(ImageOps.flip(image))] for key, image in IMAGES.items()])


def main():
    golden = dict(pillow=PIL.__version__, torchvision=torchvision.__version__)
    golden.update(operations=operations(), policies=policies(), spaces=spaces(), **effects())
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "augment.json"), "w") as file:
        json.dump(golden, file)
        file.write("\n")


main()
