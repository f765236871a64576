"""torchvision's own ResNet class, built from this package's configuration.

Blocks, forward pass and parameter names are torchvision's. Only what its constructor fixes is replaced while it runs:
the stage widths (64, 128, ... become width * 2^stage), the stem, the number of stages and the shortcuts.
"""

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck, ResNet, conv1x1

NONE = [False, False, False]
DILATED = {0: NONE, 32: NONE, 16: [False, False, True], 8: [False, True, True]}


class ZeroPadShortcut(nn.Module):
    """Shortcut A: take every stride-th position, then append zero channels."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.pool = nn.AvgPool2d(1, stride)
        self.missing = outputs - inputs

    def forward(self, x):
        return functional.pad(self.pool(x), (0, 0, 0, 0, 0, self.missing))


def pooled_projection(inputs, outputs, stride):
    """Shortcut D: average 2x2 where the block strides, then project with stride 1."""
    pool = nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False) if stride != 1 else nn.Identity()
    return nn.Sequential(pool, conv1x1(inputs, outputs), nn.BatchNorm2d(outputs))


class Oracle(ResNet):
    def __init__(self, config):
        self.config = config
        depths = config["depths"]
        super().__init__(
            Bottleneck,
            depths + [0] * (4 - len(depths)),
            groups=config["cardinality"],
            width_per_group=config["baseWidth"],
            replace_stride_with_dilation=DILATED[config.get("outputStride", 32)],
            zero_init_residual=config.get("zeroInitLast", False),
        )
        self.fc = nn.Linear(self.inplanes, config["classes"])

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == 64:
            self._make_stem()
        if blocks == 0:
            return nn.Identity()
        inputs, planes = self.inplanes, self.config["width"] * planes // 64
        stage = super()._make_layer(block, planes, blocks, stride, dilate)
        for index, module in enumerate(stage):
            self._replace_shortcut(module, inputs if index == 0 else self.inplanes, self.inplanes)
        return stage

    def _make_stem(self):
        channels, width = self.config["inputChannels"], self.config["width"]
        self.inplanes = width
        self.bn1 = nn.BatchNorm2d(width)
        if self.config["stem"] == "cifar":
            self.conv1 = nn.Conv2d(channels, width, 3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)

    def _replace_shortcut(self, block, inputs, outputs):
        kind = self.config["shortcut"]
        if kind == "C" and block.downsample is None:
            block.downsample = nn.Sequential(conv1x1(inputs, outputs), nn.BatchNorm2d(outputs))
        elif kind == "A" and block.downsample is not None:
            block.downsample = ZeroPadShortcut(inputs, outputs, block.stride)
        elif kind == "D" and block.downsample is not None:
            block.downsample = pooled_projection(inputs, outputs, block.stride)


def on_relu(model, visit):
    """Calls visit(z, bn) with the input of every ReLU and the batch normalisation before it; a result replaces z."""
    sites = [(model.relu, [model.bn1])]
    sites += [(m.relu, [m.bn1, m.bn2, m.bn3]) for m in model.modules() if isinstance(m, Bottleneck)]
    for relu, norms in sites:
        calls = iter(norms)
        relu.register_forward_pre_hook(lambda _, args, calls=calls: visit(args[0], next(calls)))


def pool_margin(x):
    """The smallest distance from the largest value of a 3x3/2 max-pool window, where positive, to the next smaller."""
    windows = functional.unfold(functional.pad(x, (1, 1, 1, 1)), 3, stride=2).unflatten(1, (x.shape[1], 9))
    first = windows.amax(2, keepdim=True)
    second = windows.where(windows < first, first.new_tensor(-torch.inf)).amax(2, keepdim=True)
    return (first - second)[first > 0].min().item()


class LastOfTies(nn.Module):
    """The 3x3/2 max-pool of maps of even size, whose gradient goes to the last of several largest values."""

    def forward(self, x):
        padded = functional.pad(x.flip(2, 3), (0, 1, 0, 1), value=-torch.inf)
        return functional.max_pool2d(padded, 3, 2).flip(2, 3)
