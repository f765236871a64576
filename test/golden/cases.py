"""The networks that are compared with PyTorch: small, and each with something that the others do not have."""


def imagenet(depths, cardinality, baseWidth, width, classes, inputSize, outputStride=32):
    return {
        "depths": depths,
        "cardinality": cardinality,
        "baseWidth": baseWidth,
        "width": width,
        "stem": "imagenet",
        "shortcut": "B",
        "classes": classes,
        "inputChannels": 3,
        "inputSize": inputSize,
        "outputStride": outputStride,
        "zeroInitLast": False,
    }


def cifar(depths, cardinality, baseWidth, width, classes, inputSize, inputChannels=3, shortcut="B"):
    return {
        "depths": depths,
        "cardinality": cardinality,
        "baseWidth": baseWidth,
        "width": width,
        "stem": "cifar",
        "shortcut": shortcut,
        "classes": classes,
        "inputChannels": inputChannels,
        "inputSize": inputSize,
        "zeroInitLast": False,
    }


def extended(depths, cardinality, baseWidth, width, classes, inputSize, **options):
    """A net with options that torchvision has not."""
    return {
        **imagenet(depths, cardinality, baseWidth, width, classes, inputSize, outputStride=0),
        "stemWidth": width // 2,
        "stemPool": "max",
        "shortcutKernel": 1,
        "attention": "none",
        "antialias": False,
        "halvedSplit": False,
        **options,
    }


SE_D = {"stem": "deep", "shortcut": "D", "attention": "se"}
ECA_T = {"stem": "tiered", "shortcut": "D", "attention": "eca"}
AA_SE = {"stemPool": "average", "antialias": True, "attention": "se"}
SENET = {"stem": "deep", "stemPool": "max-ceil", "shortcutKernel": 3, "attention": "se", "halvedSplit": True}

# Kind of start (make.py has one function for each) -> name: (seed, batch, configuration). Another seed will do wherever
# make.py does not object to it.
CASES = {
    "random": {
        "imagenet-64": (7, 4, imagenet([1, 1, 1, 1], 4, 32, 4, 10, [64, 64])),
        "imagenet-odd": (5, 3, imagenet([2, 1, 1, 1], 2, 48, 4, 7, [47, 61])),
        "dilated-16": (7, 2, imagenet([1, 1, 1, 2], 4, 16, 4, 10, [64, 64], outputStride=16)),
        "dilated-8": (12, 2, imagenet([1, 1, 2, 1], 4, 16, 4, 5, [45, 56], outputStride=8)),
        "cifar-32": (1, 4, cifar([2, 1, 1], 8, 32, 4, 10, [32, 32])),
        "cifar-grayscale": (2, 3, cifar([1, 1, 1], 4, 8, 8, 10, [28, 28], inputChannels=1)),
        "shortcut-a": (3, 3, cifar([2, 1, 1], 2, 32, 4, 6, [21, 15], shortcut="A")),
        "shortcut-c": (4, 3, cifar([2, 1, 1], 3, 40, 4, 6, [20, 17], shortcut="C")),
        "shortcut-d": (5, 3, cifar([2, 1, 1], 3, 40, 4, 6, [21, 15], shortcut="D")),
        "se-d": (1, 4, extended([1, 1], 2, 32, 16, 5, [32, 32], **SE_D)),
        "eca-t": (4, 3, extended([1, 1], 3, 20, 16, 6, [45, 38], **ECA_T)),
        "aa-se": (2, 3, extended([1, 2, 1], 2, 32, 4, 6, [48, 40], **AA_SE)),
        "senet": (1, 3, extended([1, 1], 4, 64, 4, 6, [41, 50], **SENET)),
    },
    "trained": {
        "trained-imagenet": (4, 4, imagenet([1, 1], 8, 8, 16, 4, [40, 32], outputStride=0)),
        "trained-cifar": (2, 4, cifar([1, 1], 2, 32, 16, 4, [20, 16])),
    },
    "small-gamma": {
        "small-gamma-imagenet": (1, 4, imagenet([1, 1], 4, 16, 16, 4, [32, 32], outputStride=0)),
        "small-gamma-cifar": (2, 4, cifar([1, 1], 8, 8, 16, 4, [20, 16])),
    },
    "ties": {
        "ties": (1, 2, imagenet([1], 4, 16, 16, 4, [24, 24], outputStride=0)),
    },
}

# The cases whose parameters after ten steps are kept too.
KEEP_FINAL = {"shortcut-a", "shortcut-d"}

# The kinds whose gradient by the images is kept too.
KEEP_INPUT_GRADIENT = {"random", "ties"}


def conv(batch, inputs, outputs, groups, size, kernel, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), bias=False):
    return {
        "batch": batch,
        "inputChannels": inputs,
        "outputChannels": outputs,
        "groups": groups,
        "inputSize": list(size),
        "kernelShape": list(kernel),
        "strides": list(strides),
        "pads": list(pads),
        "dilations": list(dilations),
        "bias": bias,
    }


# Convolutions, pads in ONNX's order: top, left, bottom, right.
CONVOLUTIONS = [
    # ordinary
    conv(2, 3, 4, 1, (5, 7), (3, 3), pads=(1, 1, 1, 1), bias=True),
    conv(2, 5, 3, 1, (6, 4), (1, 1)),
    conv(3, 4, 6, 1, (7, 5), (1, 1), strides=(2, 2)),  # positions that no output reads
    conv(2, 2, 5, 1, (8, 7), (1, 1), strides=(3, 2), bias=True),
    conv(1, 3, 2, 1, (13, 12), (7, 7), strides=(2, 2), pads=(3, 3, 3, 3)),  # the stem
    conv(2, 2, 3, 1, (9, 8), (2, 3), strides=(2, 1), pads=(0, 1, 0, 1), bias=True),
    conv(1, 4, 4, 1, (1, 9), (1, 5), pads=(0, 2, 0, 2)),
    conv(2, 3, 2, 1, (4, 3), (4, 3), bias=True),  # one output position
    # in groups, the 3x3 of a block
    conv(2, 8, 8, 2, (5, 5), (3, 3), pads=(1, 1, 1, 1)),
    conv(2, 8, 8, 4, (6, 5), (3, 3), strides=(2, 2), pads=(1, 1, 1, 1)),
    conv(1, 12, 12, 3, (7, 6), (3, 3), strides=(2, 2), pads=(2, 2, 2, 2), dilations=(2, 2)),
    conv(1, 8, 8, 4, (9, 8), (3, 3), pads=(3, 3, 3, 3), dilations=(3, 3), bias=True),
    # in groups, more or fewer outputs than inputs
    conv(2, 6, 9, 3, (5, 4), (3, 2), pads=(1, 0, 1, 0), bias=True),
    conv(2, 12, 4, 2, (4, 6), (2, 2), strides=(2, 3)),
    conv(1, 4, 12, 2, (8, 6), (3, 3), strides=(3, 3), pads=(1, 1, 1, 1), bias=True),
    conv(2, 10, 5, 5, (5, 5), (1, 1), strides=(2, 1)),
    # depthwise, with multipliers 1, 2 and 3
    conv(2, 6, 6, 6, (6, 5), (3, 3), pads=(1, 1, 1, 1)),
    conv(2, 4, 8, 4, (7, 5), (3, 3), strides=(2, 2), pads=(1, 1, 1, 1), bias=True),
    conv(1, 5, 15, 5, (6, 8), (2, 4), strides=(1, 2), pads=(1, 1, 1, 1), dilations=(1, 2)),
    conv(1, 4, 4, 4, (11, 9), (3, 2), strides=(3, 2), dilations=(3, 2), bias=True),
    # uneven strides, dilations and pads
    conv(2, 4, 2, 2, (10, 7), (3, 3), strides=(1, 3), pads=(2, 1, 2, 1), dilations=(3, 1)),
    conv(2, 3, 4, 1, (6, 7), (3, 3), strides=(2, 2), pads=(0, 0, 1, 1), bias=True),
    conv(1, 6, 6, 3, (7, 9), (3, 4), strides=(2, 3), pads=(2, 0, 1, 3), dilations=(2, 1)),
    conv(2, 4, 4, 2, (3, 4), (2, 2), pads=(2, 1, 0, 2), dilations=(1, 3), bias=True),
]

# Optimizers, as PyTorch's SGD names them; dampening is 0 throughout.
OPTIMIZERS = {
    "plain": {"momentum": 0, "nesterov": False, "weightDecay": 0},
    "decay": {"momentum": 0, "nesterov": False, "weightDecay": 0.1},
    "momentum": {"momentum": 0.9, "nesterov": False, "weightDecay": 0},
    "momentum-decay": {"momentum": 0.9, "nesterov": False, "weightDecay": 0.1},
    "nesterov": {"momentum": 0.9, "nesterov": True, "weightDecay": 0},
    "nesterov-decay": {"momentum": 0.9, "nesterov": True, "weightDecay": 0.1},
}
LEARNING_RATES = [0.1, 0.1, 0.03]

# Networks whose maps between the stages are kept: name -> (batch, configuration).
STAGES = {
    "imagenet": (2, imagenet([1, 2, 1, 1], 2, 32, 4, 5, [40, 32])),
    "cifar": (1, cifar([1, 1, 2], 4, 16, 4, 5, [16, 16])),
}
