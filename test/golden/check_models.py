"""Runs a saved model in PyTorch, on images that it reads itself, and says how far its logits are from given ones.

    check_models.py MODEL IMAGES LOGITS

MODEL: a folder with model.json and model.safetensors. The network is torchvision's class for that configuration, with the
weights loaded with strict=True and computed in float32. IMAGES: a folder of class folders, or a .tar or .tar.gz of them.
They are decoded and resized by Pillow; they must be square, so that nothing is cropped. LOGITS: a safetensors file with
"logits" [N, K] and, in its metadata, "names": the images as CLASS/FILE in a JSON list, in the order of the rows.

Prints one line of JSON: how many images there are, how many PyTorch gets right, how many have the same most likely class
as the given logits, and the largest difference of a logit, absolute and relative to the largest logit.
"""

import sys

sys.dont_write_bytecode = True

import io
import json
import os
import tarfile

import numpy
import torch
from PIL import Image

import tensorfile
from oracle import Oracle


def build(folder):
    with open(os.path.join(folder, "model.json")) as file:
        description = json.load(file)
    tensors, _ = tensorfile.read(os.path.join(folder, "model.safetensors"))
    floats = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    model = Oracle(description["config"])
    model.load_state_dict(floats, strict=True)
    return model.eval(), description


def opener(images):
    """A function from CLASS/FILE to the bytes of that image."""
    if os.path.isdir(images):
        return lambda name: open(os.path.join(images, name), "rb").read()
    archive = tarfile.open(images)
    return lambda name: archive.extractfile(name).read()


FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}


def prepare(content, preprocessing):
    """[C, H, W]: resized, scaled to [0, 1], minus the mean, divided by the standard deviation."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    size = preprocessing["size"]
    if image.width != image.height or preprocessing["resize"] != size:
        raise ValueError(f"an image of {image.size} pixels would be cropped; the model takes {size} x {size}")
    if image.width != size:
        image = image.resize((size, size), FILTERS[preprocessing["interpolation"]])
    pixels = torch.from_numpy(numpy.asarray(image).copy()).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(preprocessing[key]).view(3, 1, 1) for key in ("mean", "std"))
    return (pixels - mean) / std


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, images, given = sys.argv[1:]
    model, description = build(folder)
    tensors, metadata = tensorfile.read(given)
    names, logits = json.loads(metadata["names"]), tensors["logits"]
    read = opener(images)
    rows = []
    with torch.no_grad():
        for start in range(0, len(names), 100):
            batch = [prepare(read(name), description["preprocessing"]) for name in names[start : start + 100]]
            rows.append(model(torch.stack(batch)))
    own = torch.cat(rows)
    labels = torch.tensor([description["classes"].index(name.split("/")[0]) for name in names])
    difference = (own - logits).abs().max().item()
    answer = {
        "torch": torch.__version__,
        "images": len(names),
        "correct": (own.argmax(1) == labels).sum().item(),
        "same": (own.argmax(1) == logits.argmax(1)).sum().item(),
        "difference": difference,
        "relative": difference / logits.abs().max().item(),
    }
    print(json.dumps(answer))


main()
