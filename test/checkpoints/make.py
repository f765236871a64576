"""Writes small checkpoints as training scripts and model zoos leave them: python3 test/checkpoints/make.py

Every container, every nesting and every layout of names (torchvision's in zip.pth) has a file here, which PyTorch wrote (safetensors and Torch7 by
the writers of src/weights/golden). expected.json holds the logits of each in float64 for one input, which follows from
`numbers` of src/checkpoints/golden, and for some the probabilities of an image. The nets are ResNeXts of a few thousand
parameters after some steps of training, so that weights and statistics are not those that a net begins with.

It is seeded; files of the older container name their storages by address, so those bytes differ from run to run.
Needs PyTorch 1.13 and torchvision 0.14, or near them.
"""

import argparse
import collections
import copy
import importlib.util
import json
import pathlib
import sys

sys.dont_write_bytecode = True

import numpy
import PIL.Image
import torch
from torch import nn
from torchvision import transforms
from torchvision.models.resnet import Bottleneck, ResNet

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def script(name, path):
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


files = script("files", "src/weights/golden/make.py")
zoo = script("zoo", "src/checkpoints/golden/make.py")
EXPECTED = {}
IMAGE = ROOT / "examples/images/unseen/frog-1.jpg"
CLASSES = 5


class Narrow(ResNet):
    """torchvision's own network, of its first two stages and an eighth of their features."""

    def __init__(self):
        nn.Module.__init__(self)
        self._norm_layer, self.inplanes, self.dilation = nn.BatchNorm2d, 8, 1
        self.groups, self.base_width = 4, 16
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1, self.relu, self.maxpool = nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._make_layer(Bottleneck, 8, 1)
        self.layer2 = self._make_layer(Bottleneck, 16, 1, stride=2)
        self.layer3, self.layer4 = nn.Identity(), nn.Identity()
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(64, CLASSES)


def varied(net):
    """The net with scales and statistics that differ from channel to channel, and logits of some size."""
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return net


def trained(net, size=48, steps=4):
    """The net after some steps on noise, and the optimiser with its momentum."""
    sgd = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    net.train()
    for _ in range(steps):
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(net(torch.randn(8, 3, size, size)), torch.randint(CLASSES, (8,)))
        loss.backward()
        sgd.step()
    return net.eval(), sgd


def pixels(net):
    """The input of [1, 3, S, S], and an image as torchvision prepares it, with the stem's usual S and statistics."""
    small = isinstance(net, zoo.Net) and net.stem == "cifar"
    size = 32 if small else 224
    noise = 2 * zoo.numbers(999, 3 * size * size).astype(numpy.float32) - 1
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    if small:
        mean, std = [[value / 255 for value in values] for values in ([125.3, 123.0, 113.9], [63.0, 62.1, 66.7])]
    prepare = transforms.Compose([
        transforms.Resize(32 if small else 256),
        transforms.CenterCrop(size),
        transforms.ToTensor(),
        transforms.Normalize(mean, std),
    ])
    image = prepare(PIL.Image.open(IMAGE).convert("RGB"))
    return torch.from_numpy(noise).reshape(1, 3, size, size), image.unsqueeze(0)


def expect(file, net):
    exact = copy.deepcopy(net).double().eval()
    noise, image = pixels(net)
    with torch.no_grad():
        EXPECTED[file] = {
            "size": noise.shape[-1],
            "logits": exact(noise.double()).flatten().tolist(),
            "image": exact(image.double()).softmax(1).flatten().tolist(),
        }


def keep(file, data, net):
    (HERE / file).parent.mkdir(exist_ok=True)
    (HERE / file).write_bytes(data)
    expect(file, net)


def make_containers():
    net, _ = trained(varied(Narrow()))
    state = net.state_dict()
    keep("float32.safetensors", files.safetensors(state, {"format": "pt"}), net)
    for name, dtype in (("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        rounded = copy.deepcopy(net).to(dtype)
        tensors = {f"model.{key}": value for key, value in rounded.state_dict().items()}  # as a trainer's module has them
        keep(f"{name}.safetensors", files.safetensors(tensors, {"format": "pt"}), rounded.float())
    make_sharded(state, net)
    plain, legacy = files.saved(state), files.saved(state, _use_new_zipfile_serialization=False)
    keep("zip.pth", plain, net)
    keep("stream.pth", legacy, net)
    keep("zip.pth.zip", files.zipped({"zip.pth": plain}), net)
    keep("stream.pth.zip", files.zipped({"stream.pth": legacy}), net)


def make_sharded(state, net):
    names = list(state)
    half = 2 * len(names) // 3
    shards = {"model-00001-of-00002.safetensors": names[:half], "model-00002-of-00002.safetensors": names[half:]}
    for file, held in shards.items():
        (HERE / "sharded").mkdir(exist_ok=True)
        (HERE / "sharded" / file).write_bytes(files.safetensors({name: state[name] for name in held}, {"format": "pt"}))
    where = {name: file for name in names for file, held in shards.items() if name in held}
    index = {"metadata": {"total_size": sum(value.numel() * value.element_size() for value in state.values())}, "weight_map": where}
    keep("sharded/model.safetensors.index.json", json.dumps(index, indent=1).encode(), net)


def make_nested():
    """What training scripts keep, under their names for it. Where weights are averaged, those are what is evaluated."""
    net, sgd = trained(varied(Narrow()))
    best = torch.tensor(61.5)
    schedule = torch.optim.lr_scheduler.StepLR(sgd, 30).state_dict()
    of_run = {"epoch": 90, "arch": "resnext50_32x4d", "best_acc1": best, "optimizer": sgd.state_dict(), "scheduler": schedule}
    keep("nested/examples.pth", files.saved({**of_run, "state_dict": nn.DataParallel(net).state_dict()}), net)

    average = torch.optim.swa_utils.AveragedModel(net, avg_fn=lambda old, new, _: 0.5 * old + 0.5 * new, use_buffers=True)
    average.update_parameters(net)
    later, sgd = trained(net)
    average.update_parameters(later)
    plain = torch.optim.SGD(net.parameters(), lr=0.1).state_dict()
    args = argparse.Namespace(model="resnext50_32x4d", lr=0.1, device="cuda", model_ema=True)
    references = {"model": later.state_dict(), "optimizer": plain, "epoch": 599, "args": args, "model_ema": average.state_dict()}
    keep("nested/torchvision.pth", files.saved(references), average.module)

    timm = {"epoch": 299, "arch": "resnext50_32x4d", "state_dict": later.state_dict(), "optimizer": plain, "version": 2, "args": args}
    averaged = {"state_dict_ema": average.module.state_dict(), "metric": 78.1}
    keep("nested/timm.pth.tar", files.saved({**timm, **averaged}, _use_new_zipfile_serialization=False), average.module)

    pycls = {"epoch": 99, "model_state": later.state_dict(), "cfg": "NUM_GPUS: 8\n"}
    keep("nested/model-state.pth", files.saved(pycls, _use_new_zipfile_serialization=False), later)
    compiled = collections.OrderedDict((f"_orig_mod.{name}", value) for name, value in later.state_dict().items())
    keep("nested/compiled.pth", files.saved(compiled), later)
    uncounted = collections.OrderedDict((name, value) for name, value in later.state_dict().items() if "num_batches" not in name)
    keep("nested/uncounted.pth", files.saved(uncounted, _use_new_zipfile_serialization=False), later)


def torch7_tree(state):
    """The modules of a Torch7 network, whose names in the state dict are their places in each other."""
    modules = {}
    for name, value in state.items():
        first, rest = name.split(".", 1)
        modules.setdefault(first, {})[rest] = value
    return files.container("nn.Sequential", *(torch7_module(modules.get(str(i + 1))) for i in range(max(map(int, modules)))))


def torch7_module(state):
    if state is None:
        return files.Module("cudnn.ReLU", inplace=True)  # what has no weights: also pools and views
    if "running_mean" in state:
        fields = {name: value for name, value in state.items() if name != "num_batches_tracked"}
        return files.Module("nn.SpatialBatchNormalization", eps=1e-5, **fields)
    if "weight" in state:
        return files.Module("cudnn.SpatialConvolution" if state["weight"].dim() == 4 else "nn.Linear", **state)
    return torch7_tree(state)


SMALL = {"depths": [1, 1], "cardinality": 4, "base": 16, "width": 8, "classes": CLASSES}
CIFAR = {"depths": [1, 1, 1], "cardinality": 2, "base": 16, "width": 4, "stem": "cifar", "classes": CLASSES}


def make_layouts():
    def of(names, **config):
        return trained(varied(zoo.Net(names, **config)))[0]

    net = of(zoo.timm(1, True), **SMALL, stem="deep", stem_width=8, shortcut="D")
    keep("layouts/timm-deep.pth", files.saved(net.state_dict()), net)
    net = of(zoo.timm(), **SMALL, attention="se")
    keep("layouts/timm-se.pth", files.saved(net.state_dict()), net)
    net = of(zoo.mmpretrain(), **{**SMALL, "depths": [2, 1]})
    meta = {"mmcls_version": "0.23.2", "epoch": 100, "CLASSES": tuple("abcde")}
    keep("layouts/mmpretrain.pth", files.saved({"meta": meta, "state_dict": net.state_dict()}), net)
    net = of(zoo.pytorchcv([".conv"]), **SMALL)
    legacy = files.saved(net.state_dict(), _use_new_zipfile_serialization=False)
    keep("layouts/pytorchcv.pth.zip", files.zipped({"resnext14.pth": legacy}), net)
    net = of(zoo.prlz77(), **CIFAR)
    keep("layouts/prlz77.pth", files.saved(nn.DataParallel(net).state_dict()), net)
    net = of(zoo.legacy(), **SMALL, attention="se", pool="max-ceil")
    keep("layouts/legacy-se.pth", files.saved(net.state_dict()), net)
    net = of(zoo.torch7(4, 3), **CIFAR)
    writer = files.Torch7()
    writer.write(torch7_tree(net.state_dict()))
    keep("layouts/torch7.t7", writer.out.getvalue(), net)


def main():
    torch.manual_seed(15)
    torch.set_num_threads(1)  # sums in one order
    make_containers()
    make_nested()
    make_layouts()
    (HERE / "expected.json").write_text(json.dumps(EXPECTED, indent=1) + "\n")


if __name__ == "__main__":
    main()
