"""PyTorch as a rival of bench/infer.ts: a child process that takes and gives one JSON document per line.

  {"do": "export", "net", "path"}                        -> {}           the net as PyTorch exports it to ONNX
  {"do": "open", "id", "net", "kind", "batch", "threads"} -> {}           kind: eager, channels_last or script
  {"do": "run", "id", "runs"}                            -> {"ms": [..]} each run by itself, after one that does not count
  {"do": "close", "id"}                                  -> {}

Nets have random weights, which take as long as any. The first line it prints is {"torch": version}.
"""
import json
import sys
import time

import torch
import torchvision
from torch import nn
from torchvision.models.resnet import Bottleneck


class Cifar(nn.Module):
    """ResNeXt for 32x32 pictures: one 3x3 convolution and three stages of torchvision's own blocks."""

    def __init__(self, depth, groups, width):
        super().__init__()
        layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
        inputs = 64
        for stage, n in enumerate((64, 128, 256)):
            for i in range((depth - 2) // 9):
                stride = 2 if stage > 0 and i == 0 else 1
                shortcut = None
                if i == 0:
                    shortcut = nn.Sequential(nn.Conv2d(inputs, 4 * n, 1, stride, bias=False), nn.BatchNorm2d(4 * n))
                layers.append(Bottleneck(inputs, n, stride, shortcut, groups, width))
                inputs = 4 * n
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):
        return self.fc(self.features(x))


def net_of(name):
    torch.manual_seed(1)
    if hasattr(torchvision.models, name):
        return getattr(torchvision.models, name)().eval(), 224
    depth, shape = name.removeprefix("resnext").split("_")
    groups, width = shape.removesuffix("d").split("x")
    return Cifar(int(depth), int(groups), int(width)).eval(), 32


def open_net(net, kind, batch):
    model, size = net_of(net)
    x = torch.randn(batch, 3, size, size)
    if kind == "channels_last":
        return model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    if kind == "script":
        model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, x)))
        model(x), model(x)  # the second call specialises
    return model, x


def timed(model, x):
    began = time.perf_counter()
    model(x)
    return 1000 * (time.perf_counter() - began)


opened = {}


def answer(ask):
    if ask["do"] == "export":
        model, size = net_of(ask["net"])
        names = {"input_names": ["input"], "output_names": ["logits"]}
        axes = {"input": {0: "N"}, "logits": {0: "N"}}
        torch.onnx.export(model, torch.randn(1, 3, size, size), ask["path"], dynamic_axes=axes, **names)
    if ask["do"] == "open":
        opened[ask["id"]] = (*open_net(ask["net"], ask["kind"], ask["batch"]), ask["threads"])
    if ask["do"] == "run":
        model, x, threads = opened[ask["id"]]
        torch.set_num_threads(threads)
        return {"ms": [timed(model, x) for _ in range(ask["runs"] + 1)][1:]}
    if ask["do"] == "close":
        del opened[ask["id"]]
    return {}


print(json.dumps({"torch": torch.__version__}), flush=True)
with torch.no_grad():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
