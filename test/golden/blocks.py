"""What later ResNeXts have and torchvision has not: attention, anti-aliased strides, stems of three convolutions.

Parameters are named as timm names them: se.fc1, se.fc2 or se.conv in a block, conv1.0 to conv1.6 in a deep stem.
"""

import math

from torch import nn
from torchvision.models.resnet import Bottleneck


class ExtendedBottleneck(Bottleneck):
    """torchvision's block with something between ReLU and the last convolution, and before the addition."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.aa = nn.Identity()
        self.se = nn.Identity()

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.aa(self.relu(self.bn2(self.conv2(y))))
        return self.relu(self.se(self.bn3(self.conv3(y))) + shortcut)


class SqueezeExcitation(nn.Module):
    """Weights from the channels' means by two 1x1 convolutions, the first to a 16th of the channels, a multiple of 8."""

    def __init__(self, channels):
        super().__init__()
        squeezed = max(8, int(channels / 16 + 4) // 8 * 8)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * self.fc2(self.relu(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid()


class EfficientChannelAttention(nn.Module):
    """Weights from the channels' means by one convolution along the channels."""

    def __init__(self, channels):
        super().__init__()
        size = int(abs(math.log2(channels) + 1) / 2)
        size = max(3, size if size % 2 else size + 1)
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x):
        weights = self.conv(x.mean((2, 3))[:, None]).sigmoid()  # [N, 1, C]
        return x * weights[:, 0, :, None, None]


ATTENTION = {"se": SqueezeExcitation, "eca": EfficientChannelAttention}


def deep_stem(channels, width, tiered):
    """Three 3x3 convolutions; what follows the last is the net's bn1 and relu."""
    first = 3 * (width // 4) if tiered else width
    return nn.Sequential(
        nn.Conv2d(channels, first, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(first),
        nn.ReLU(inplace=True),
        nn.Conv2d(first, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
    )
