"""PyTorch: training steps on random images, or inference. Started by bench/children.ts.

Settings: task, network, config, batch, threads, layout ("nchw", "channels_last", or for inference "script": TorchScript,
frozen and optimized), weights (a file, for inference).
"""

from network import network
from serve import serve


def common_images(torch, dims):
    """The same numbers as bench/contenders/images.ts."""
    i = torch.arange(torch.Size(dims).numel())
    return ((i * 40503 % 65536) / 32768 - 1).float().reshape(dims)


def inference(torch, settings, model, images):
    """A function that runs the model once, and its logits if weights are given."""
    weights = settings.get("weights")
    if weights:
        model.load_state_dict(torch.load(weights))
    model.eval()
    with torch.no_grad():
        if settings["layout"] == "script":
            model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, images)))
            model(images)  # it specializes in its first two runs

    def logits():
        with torch.inference_mode():
            return model(images)

    def infer():
        logits()

    return infer, {"logits": logits().flatten().tolist()} if weights else {}


def start(settings):
    import torch
    from torch.nn import functional

    torch.manual_seed(1)
    torch.set_num_threads(settings["threads"])
    layout = torch.channels_last if settings["layout"] == "channels_last" else torch.contiguous_format
    model = network(settings).to(memory_format=layout)
    config, batch = settings["config"], settings["batch"]
    images = common_images(torch, [batch, config["inputChannels"], *config["inputSize"]]).to(memory_format=layout)
    labels = torch.arange(batch) % config["classes"]
    parameters = sum(p.numel() for p in model.parameters())
    facts = {"parameters": parameters, "versions": {"torch": torch.__version__}}

    if settings["task"] == "infer":
        infer, more = inference(torch, settings, model, images)
        return {**facts, **more}, infer

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
