"""torchvision's own ResNet class, built from this package's configuration.

Blocks, forward pass and parameter names are torchvision's. Only what its constructor fixes is replaced while it runs:
the stage widths (64, 128, ... become width * 2^stage), the stem, the number of stages and the shortcuts. Nets with
attention, anti-aliasing or a halved split have blocks of blocks.py, which torchvision has not.
"""

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck, ResNet, conv1x1, conv3x3

from blocks import ATTENTION, ExtendedBottleneck, SqueezeExcitation, deep_stem

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
            ExtendedBottleneck if "attention" in config else Bottleneck,
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
            if "attention" in self.config:
                self._extend(module, planes, self.inplanes)
        return stage

    def _make_stem(self):
        channels, width = self.config["inputChannels"], self.config["width"]
        stem, pool = self.config["stem"], self.config.get("stemPool", "max")
        self.inplanes = 2 * self.config["stemWidth"] if stem in ("deep", "tiered") else width
        self.bn1 = nn.BatchNorm2d(self.inplanes)
        if stem == "cifar":
            self.conv1 = nn.Conv2d(channels, width, 3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()
        elif stem == "imagenet":
            self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
        else:
            self.conv1 = deep_stem(channels, self.config["stemWidth"], stem == "tiered")
        if pool == "max-ceil":
            self.maxpool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        elif pool == "average":
            self.maxpool = nn.AvgPool2d(2)

    def _extend(self, block, planes, outputs):
        """What torchvision's block has not: attention, an average in place of the stride, half of the first filters."""
        if self.config["attention"] != "none":
            block.se = ATTENTION[self.config["attention"]](outputs)
        if self.config["antialias"] and block.stride == 2:
            block.conv2.stride = (1, 1)
            block.aa = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        if self.config["halvedSplit"]:
            old, groups = block.conv2, block.conv2.groups
            half = old.in_channels // 2
            block.conv1 = conv1x1(block.conv1.in_channels, half)
            block.bn1 = nn.BatchNorm2d(half)
            block.conv2 = nn.Conv2d(half, old.out_channels, 3, old.stride, old.padding, old.dilation, groups, bias=False)
        if self.config["shortcutKernel"] == 3 and block.downsample is not None and planes > self.config["width"]:
            inputs = block.downsample[0].in_channels
            block.downsample[0] = conv3x3(inputs, outputs, block.downsample[0].stride)

    def _replace_shortcut(self, block, inputs, outputs):
        kind = self.config["shortcut"]
        if kind == "C" and block.downsample is None:
            block.downsample = nn.Sequential(conv1x1(inputs, outputs), nn.BatchNorm2d(outputs))
        elif kind == "A" and block.downsample is not None:
            block.downsample = ZeroPadShortcut(inputs, outputs, block.stride)
        elif kind == "D" and block.downsample is not None:
            block.downsample = pooled_projection(inputs, outputs, block.stride)


def on_relu(model, visit):
    """Calls visit(z, layer) with the input of every ReLU and the layer whose bias moves it; a result replaces z.

    That layer is the batch normalisation before it, SE's first convolution, or, where weights are multiplied in between,
    the shortcut's normalisation. Where the shortcut has none there is no such layer.
    """
    sites = [(model.relu, [model.bn1])]
    if isinstance(model.conv1, nn.Sequential):
        sites += [(model.conv1[2], [model.conv1[1]]), (model.conv1[5], [model.conv1[4]])]
    sites += [(m.relu, [m.bn1, m.bn2, last_shift(m)]) for m in model.modules() if isinstance(m, Bottleneck)]
    sites += [(m.relu, [m.fc1]) for m in model.modules() if isinstance(m, SqueezeExcitation)]
    for relu, layers in sites:
        calls = iter(layers)
        relu.register_forward_pre_hook(lambda _, args, calls=calls: visit(args[0], next(calls)))


def last_shift(block):
    if not isinstance(block, ExtendedBottleneck) or isinstance(block.se, nn.Identity):
        return block.bn3
    return block.downsample[-1] if isinstance(block.downsample, nn.Sequential) else None


def pool_margin(x, padded):
    """The smallest distance from the largest value of a 3x3/2 max-pool window, where positive, to the next smaller."""
    down, across = [(size + 1) % 2 for size in x.shape[2:]]  # how far the last windows hang over, without padding
    edge = (1, 1, 1, 1) if padded else (0, across, 0, down)
    windows = functional.unfold(functional.pad(x, edge), 3, stride=2).unflatten(1, (x.shape[1], 9))
    first = windows.amax(2, keepdim=True)
    second = windows.where(windows < first, first.new_tensor(-torch.inf)).amax(2, keepdim=True)
    return (first - second)[first > 0].min().item()


class LastOfTies(nn.Module):
    """The 3x3/2 max-pool of maps of even size, whose gradient goes to the last of several largest values."""

    def forward(self, x):
        padded = functional.pad(x.flip(2, 3), (0, 1, 0, 1), value=-torch.inf)
        return functional.max_pool2d(padded, 3, 2).flip(2, 3)
