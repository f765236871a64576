"""Writes golden.safetensors: what Pillow and torchvision make of the photos here, and what a small net answers.

The presets are torchvision's own (first and second weights) and timm's, written with torchvision's transforms. For each
preset and photo: the cropped bytes' SHA-256, among the metadata, and the net's logits. Run again with PyTorch 1.13 and
torchvision 0.14: `python3 test/preprocessing/make.py`.
"""

import hashlib
import json
import os
import sys

import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms._presets import ImageClassification
from torchvision.transforms.functional import InterpolationMode, pil_to_tensor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))
import tensorfile  # noqa: E402
from oracle import Oracle  # noqa: E402

CONFIG = {
    "depths": [1, 1, 1],
    "cardinality": 4,
    "baseWidth": 32,
    "width": 8,
    "stem": "imagenet",
    "shortcut": "B",
    "classes": 10,
    "inputChannels": 3,
}
PHOTOS = ["astronaut.jpg", "cat.jpg", "coffee.jpg"]
# name -> resize, crop, interpolation
PRESETS = {
    "torchvision-v1": (256, 224, "bilinear"),
    "torchvision-v2": (232, 224, "bilinear"),
    "timm-0.95": (235, 224, "bicubic"),
    "timm-288": (303, 288, "bicubic"),
    "timm-160": (168, 160, "bicubic"),
}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def steps(resize, crop, interpolation):
    mode = InterpolationMode(interpolation)
    geometry = transforms.Compose([transforms.Resize(resize, mode), transforms.CenterCrop(crop)])
    if interpolation == "bilinear":
        return geometry, ImageClassification(crop_size=crop, resize_size=resize, interpolation=mode)
    return geometry, transforms.Compose([geometry, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])


def net():
    torch.manual_seed(5)
    model = Oracle(CONFIG).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return model


def main():
    model = net()
    tensors = {f"state.{name}": value for name, value in model.state_dict().items()}
    hashes = {}
    for name, preset in PRESETS.items():
        geometry, whole = steps(*preset)
        for photo in PHOTOS:
            image = Image.open(os.path.join(HERE, photo)).convert("RGB")
            pixels = pil_to_tensor(geometry(image)).permute(1, 2, 0).contiguous()
            hashes[f"{name}/{photo}"] = hashlib.sha256(pixels.numpy().tobytes()).hexdigest()
            with torch.no_grad():
                tensors[f"logits.{name}/{photo}"] = model(whole(image)[None])[0]
    presets = {name: dict(zip(("resize", "size", "interpolation"), preset)) for name, preset in PRESETS.items()}
    metadata = {"config": json.dumps(CONFIG), "presets": json.dumps(presets), "hashes": json.dumps(hashes)}
    tensorfile.write(os.path.join(HERE, "golden.safetensors"), tensors, metadata)


main()
