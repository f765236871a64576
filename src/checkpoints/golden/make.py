"""Makes layouts.json, which recognising and renaming are tested with: python3 src/checkpoints/golden/make.py

Each case is a small network in PyTorch whose state dict has the names of one code base. The file holds the names and
dimensions of its tensors, and its logits in float64. The numbers in the tensors are not stored: they follow from the
tensor's place in the state dict by `numbers` below, which layouts.test.ts computes again.
"""

import json
import math
import pathlib
import sys

sys.dont_write_bytecode = True

import numpy
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet


def numbers(seed, count):
    """`count` numbers in [0, 1), from a hash of their place."""
    x = numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(seed * 0x9E3779B1 % 2**32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> numpy.uint32(shift)
        x *= numpy.uint32(factor)
    return (x ^ (x >> numpy.uint32(16))).astype(numpy.float64) / 2**32


def fill(model):
    for seed, (name, value) in enumerate(model.state_dict().items()):
        u = numbers(seed, value.numel())
        if name.endswith("num_batches_tracked"):
            value.fill_(7)
            continue
        if value.dim() > 1:
            u = (2 * u - 1) * math.sqrt(6 / math.prod(value.shape[1:]))
        elif name.endswith(("running_var", "weight")):
            u = 0.5 + u
        else:
            u = 0.4 * u - 0.2
        value.copy_(torch.from_numpy(u.astype(numpy.float32)).reshape(value.shape))


def put(root, path, module):
    """Registers a module under a dotted path, making what is between."""
    *parents, last = path.split(".")
    for name in parents:
        if name not in root._modules:
            root.add_module(name, nn.Module())
        root = root._modules[name]
    root.add_module(last, module)
    return module


class Net(nn.Module):
    """A ResNeXt; `names` says what each module is called. `parts` are the steps of the forward pass."""

    def __init__(self, names, depths, cardinality, base, width=64, classes=5, stem="imagenet", stem_width=32, pool="max",
                 shortcut="B", kernel=1, attention=None, antialias=False, halved=False):
        super().__init__()
        self.names, self.stem, self.pool, self.antialias = names, stem, pool, antialias
        w = stem_width
        convs = {
            "imagenet": [(3, width, 7, 2)],
            "cifar": [(3, width, 3, 1)],
            "deep": [(3, w, 3, 2), (w, w, 3, 1), (w, 2 * w, 3, 1)],
            "tiered": [(3, 3 * w // 4, 3, 2), (3 * w // 4, w, 3, 1), (w, 2 * w, 3, 1)],
        }[stem]
        self.first = [self.unit(c, b, *shape) for (c, b), shape in zip(names["stem"], convs)]
        features = convs[-1][1]
        self.blocks = []
        for s, depth in enumerate(depths):
            for i in range(depth):
                stride = 2 if s > 0 and i == 0 else 1
                out = 4 * width * 2**s
                inner = width * 2**s * base // 64 * cardinality
                split = inner // 2 if halved else inner
                name = lambda part: names["block"](s + 1, i, part)
                block = {
                    "stride": stride,
                    "units": [
                        self.unit(name("conv1"), name("bn1"), features, split, 1, 1),
                        self.unit(name("conv2"), name("bn2"), split, inner, 3, 1 if antialias else stride, cardinality),
                        self.unit(name("conv3"), name("bn3"), inner, out, 1, 1),
                    ],
                }
                if attention == "se":
                    squeezed = max(8, (out // 16 + 4) // 8 * 8)  # timm rounds it
                    block["se"] = [put(self, name("fc1"), nn.Conv2d(out, squeezed, 1)),
                                   put(self, name("fc2"), nn.Conv2d(squeezed, out, 1))]
                if attention == "eca":
                    t = int(abs(math.log2(out) + 1) / 2)
                    k = t if t % 2 else t + 1
                    block["eca"] = put(self, name("eca"), nn.Conv1d(1, 1, k, padding=k // 2, bias=False))
                if stride != 1 or features != out:
                    k = 1 if s == 0 else kernel
                    averaged = shortcut == "D" and stride == 2
                    block["average"] = averaged
                    block["projection"] = self.unit(
                        name("down_conv"), name("down_bn"), features, out, k, 1 if averaged else stride)
                self.blocks.append(block)
                features = out
        self.last = [put(self, names["fc"], nn.Linear(features, classes))]

    def unit(self, conv, bn, inputs, outputs, kernel, stride, groups=1):
        return [put(self, conv, nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)),
                put(self, bn, nn.BatchNorm2d(outputs))]

    def forward(self, x):
        for conv, bn in self.first:
            x = bn(conv(x)).relu()  # [N, n, H, W]
        if self.stem != "cifar":
            x = {"max": nn.MaxPool2d(3, 2, 1), "max-ceil": nn.MaxPool2d(3, 2, ceil_mode=True), "average": nn.AvgPool2d(2)}[self.pool](x)
        for block in self.blocks:
            x = self.block(block, x)
        return self.last[0](x.mean((2, 3)))  # [N, K]

    def block(self, block, x):
        (conv1, bn1), (conv2, bn2), (conv3, bn3) = block["units"]
        y = bn2(conv2(bn1(conv1(x)).relu())).relu()
        if self.antialias and block["stride"] == 2:
            y = nn.functional.avg_pool2d(y, 2)
        y = bn3(conv3(y))
        if "se" in block:
            fc1, fc2 = block["se"]
            y = y * fc2(fc1(y.mean((2, 3), keepdim=True)).relu()).sigmoid()
        if "eca" in block:
            y = y * block["eca"](y.mean((2, 3)).unsqueeze(1)).sigmoid().transpose(1, 2).unsqueeze(-1)
        if "projection" in block:
            conv, bn = block["projection"]
            x = bn(conv(nn.functional.avg_pool2d(x, 2, ceil_mode=True) if block["average"] else x))
        return (x + y).relu()


def timm_block(down):
    parts = {"down_conv": f"downsample.{down}", "down_bn": f"downsample.{down + 1}", "fc1": "se.fc1", "fc2": "se.fc2", "eca": "se.conv"}
    return lambda s, i, part: f"layer{s}.{i}.{parts.get(part, part)}"


def timm(down=0, deep=False):
    stem = [("conv1.0", "conv1.1"), ("conv1.3", "conv1.4"), ("conv1.6", "bn1")] if deep else [("conv1", "bn1")]
    return {"stem": stem, "block": timm_block(down), "fc": "fc"}


def legacy(deep=False):
    parts = {"down_conv": "downsample.0", "down_bn": "downsample.1", "fc1": "se_module.fc1", "fc2": "se_module.fc2"}
    stem = [(f"layer0.conv{j}", f"layer0.bn{j}") for j in range(1, 4 if deep else 2)]
    return {"stem": stem, "block": lambda s, i, part: f"layer{s}.{i}.{parts.get(part, part)}", "fc": "last_linear"}


CONV_NAMES = {"conv1": "conv_reduce", "bn1": "bn_reduce", "conv2": "conv_conv", "bn2": "bn", "conv3": "conv_expand", "bn3": "bn_expand"}


def prlz77():
    parts = {**CONV_NAMES, "down_conv": "shortcut.shortcut_conv", "down_bn": "shortcut.shortcut_bn"}
    return {"stem": [("conv_1_3x3", "bn_1")], "block": lambda s, i, part: f"stage_{s}.stage_{s}_bottleneck_{i}.{parts[part]}", "fc": "classifier"}


def nas_bench():
    parts = {**CONV_NAMES, "down_conv": "downsample.0", "down_bn": "downsample.1"}
    return {"stem": [("conv_1_3x3", "bn_1")], "block": lambda s, i, part: f"stage_{s}.{i}.{parts[part]}", "fc": "classifier"}


def mmpretrain(deep=False, averaged=False):
    parts = {"fc1": "se_layer.conv1.conv", "fc2": "se_layer.conv2.conv"}
    def block(s, i, part):
        first = 1 if averaged and s > 1 else 0  # the pool stands before, where there is one
        down = {"down_conv": f"downsample.{first}", "down_bn": f"downsample.{first + 1}"}
        return f"backbone.layer{s}.{i}.{ {**parts, **down}.get(part, part)}"
    stem = [(f"backbone.stem.{j}.conv", f"backbone.stem.{j}.bn") for j in range(3)] if deep else [("backbone.conv1", "backbone.bn1")]
    return {"stem": stem, "block": block, "fc": "head.fc"}


def pytorchcv(stem, fc="output"):
    parts = {f"{kind}{j}": f"body.conv{j}.{kind}" for kind in ("conv", "bn") for j in (1, 2, 3)}
    parts |= {"down_conv": "identity_conv.conv", "down_bn": "identity_conv.bn", "fc1": "se.conv1", "fc2": "se.conv2"}
    first = [(f"features.init_block{part}.conv", f"features.init_block{part}.bn") for part in stem]
    return {"stem": first, "block": lambda s, i, part: f"features.stage{s}.unit{i + 1}.{parts[part]}", "fc": fc}


def torch7(first, stages):
    """Modules are numbers: a block is a table of branch and shortcut, of which each is a sequence."""
    parts = {"conv1": "1.1", "bn1": "1.2", "conv2": "1.4", "bn2": "1.5", "conv3": "1.7", "bn3": "1.8", "down_conv": "2.1", "down_bn": "2.2"}
    return {"stem": [("1", "2")], "block": lambda s, i, part: f"{first + s - 1}.{i + 1}.1.{parts[part]}", "fc": f"{first + stages + 2}"}


def parallel(net):
    wrapper = nn.Module()
    wrapper.add_module("module", net)
    wrapper.forward = net.forward
    return wrapper


SMALL = {"depths": [1, 2], "cardinality": 4, "base": 8, "width": 32}
DEEP = {"stem": "deep", "shortcut": "D"}
CASES = {
    "torchvision": lambda: ResNet(Bottleneck, [1, 2, 1, 1], num_classes=5, groups=4, width_per_group=8),
    "resnet, in parallel": lambda: parallel(ResNet(Bottleneck, [1, 1, 1, 1], num_classes=5)),
    "timm se": lambda: Net(timm(), **SMALL, attention="se"),
    "timm d": lambda: Net(timm(1, True), **SMALL, **DEEP),
    "timm t eca": lambda: Net(timm(1, True), **SMALL, stem="tiered", shortcut="D", attention="eca"),
    "timm seaa d": lambda: Net(timm(1, True), **SMALL, **DEEP, stem_width=64, attention="se", pool="average", antialias=True),
    "legacy se": lambda: Net(legacy(), **SMALL, attention="se", pool="max-ceil"),
    "senet154": lambda: Net(legacy(True), **SMALL, stem="deep", stem_width=64, attention="se", pool="max-ceil", halved=True, kernel=3),
    "prlz77": lambda: Net(prlz77(), [1, 2, 1], 2, 16, stem="cifar"),
    "nas-bench": lambda: Net(nas_bench(), [1, 2, 1], 2, 16, stem="cifar"),
    "mmpretrain": lambda: Net(mmpretrain(), [1, 2, 1, 1], 8, 4),
    "mmpretrain se": lambda: Net(mmpretrain(), **SMALL, attention="se"),
    "mmpretrain d": lambda: Net(mmpretrain(True, True), **SMALL, **DEEP),
    "pytorchcv": lambda: Net(pytorchcv([".conv"]), [1, 2, 1, 1], 8, 4),
    "pytorchcv cifar": lambda: Net(pytorchcv([""]), [1, 2, 1], 2, 16, width=16, stem="cifar"),
    "pytorchcv se": lambda: Net(pytorchcv([".conv"]), **SMALL, attention="se"),
    "pytorchcv senet": lambda: Net(pytorchcv([".conv1", ".conv2", ".conv3"], "output.fc"), **SMALL, stem="deep", stem_width=64,
                                   attention="se", halved=True, kernel=3),
    "torch7": lambda: Net(torch7(5, 4), [1, 2, 1, 1], 8, 4, width=16),
    "torch7 cifar": lambda: Net(torch7(4, 3), [1, 2, 1], 2, 16, width=16, stem="cifar"),
}


def main():
    cases = {}
    for name, make in CASES.items():
        model = make().eval()
        fill(model)
        x = torch.from_numpy(2 * numbers(999, 2 * 3 * 32 * 32).astype(numpy.float32) - 1).reshape(2, 3, 32, 32)
        with torch.no_grad():
            logits = model.double()(x.double())
        tensors = {key: list(value.shape) for key, value in model.state_dict().items()}
        cases[name] = {"tensors": tensors, "logits": logits.flatten().tolist()}
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    pathlib.Path(__file__).with_name("layouts.json").write_text(f"{{\n{text}\n}}\n")


if __name__ == "__main__":
    main()
