"""PyTorch at work on random pictures: training steps, or inference. Started by bench/children.ts.

Settings: task, net, config, batch, threads, layout ("nchw" or "channels_last"). A net that torchvision has is
torchvision's own; another is its ResNet class built from the config of this package.
"""

import os
import sys

from serve import serve


def network(settings):
    import torchvision

    make = getattr(torchvision.models, settings["net"], None)
    if make:
        return make(weights=None)
    sys.path.append(os.path.join(os.path.dirname(__file__), "../../test/golden"))
    from oracle import Oracle

    config = settings["config"]
    return Oracle({**config, "outputStride": config["outputStride"] or 32})


def start(settings):
    import torch
    from torch.nn import functional

    torch.manual_seed(1)
    torch.set_num_threads(settings["threads"])
    layout = torch.channels_last if settings["layout"] == "channels_last" else torch.contiguous_format
    model = network(settings).to(memory_format=layout)
    config, batch = settings["config"], settings["batch"]
    images = torch.rand(batch, config["inputChannels"], *config["inputSize"]) * 2 - 1
    images = images.to(memory_format=layout)
    labels = torch.arange(batch) % config["classes"]
    parameters = sum(p.numel() for p in model.parameters())
    facts = {"parameters": parameters, "versions": {"torch": torch.__version__}}

    if settings["task"] == "infer":
        model.eval()

        def infer():
            with torch.inference_mode():
                model(images)

        return facts, infer

    model.train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def train():
        optimiser.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        optimiser.step()
        assert loss.item() == loss.item(), "the loss is not a number"

    return facts, train


serve(start)
