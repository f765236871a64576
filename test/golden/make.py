"""Makes the files that the interpreter and the runtime are compared with: python3 test/golden/make.py

Everything starts from float32 values, so that a float32 and a float64 run start from the same numbers. Results are
PyTorch's in float64; the metadata says how far PyTorch's own float32 run is from them. README.md lists the contents.
"""

import sys

sys.dont_write_bytecode = True

import copy
import json
import math
import pathlib

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.feature_extraction import create_feature_extractor

import tensorfile
from cases import CASES, CONVOLUTIONS, KEEP_FINAL, KEEP_INPUT_GRADIENT, LEARNING_RATES, OPTIMIZERS, STAGES
from oracle import LastOfTies, Oracle, on_relu, pool_margin

HERE = pathlib.Path(__file__).resolve().parent
RELU_MARGIN = 5e-4
POOL_MARGIN = {"random": 1e-4, "trained": 1e-4, "small-gamma": 1e-5, "ties": 1e-4}  # rounding is as small as gamma


def randomise(model):
    """Batch normalisation with every parameter and statistic in use; convolutions keep torchvision's He init."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            module.num_batches_tracked.fill_(100)


def random_start(config, batch):
    """Noise for images, and batch normalisation with every parameter and statistic in use."""
    model = Oracle(config)
    randomise(model)
    x = torch.randn(batch, config["inputChannels"], *config["inputSize"])  # [N, C, H, W]
    return model, x, probabilities(batch, config["classes"])


def trained_start(config, batch):
    """The state after 40 steps in float32, and the next images."""
    model, draw = Oracle(config).train(), images(config)
    before = copy.deepcopy(model.state_dict())
    sgd = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for _ in range(40):
        x, targets = draw(16)
        sgd.zero_grad()
        functional.cross_entropy(model(x), targets).backward()
        sgd.step()
    for name, value in model.state_dict().items():
        moved = distance(value, before[name].double()) if name.endswith(("weight", "running_var")) else 1
        if moved < 0.05:
            raise ValueError(f"{name} has moved by {moved} of itself only")
    return model, *draw(batch)


def small_gamma_start(config, batch):
    """Maps that vary by a tenth around means of up to 1, and images around 3: variances far below squared means."""
    model = Oracle(config)
    randomise(model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.05, 0.15)
            nn.init.uniform_(module.bias, -1, 1)
    x = torch.randn(batch, config["inputChannels"], *config["inputSize"])
    return model, x + 3, probabilities(batch, config["classes"])


def ties_start(config, batch):
    """Windows of the max-pool with several largest values, equal to the last bit in any arithmetic.

    Images are tiles of one colour and the stem's weights reach over 3x3 of its 7x7 pixels, so neighbours in the
    stem's map see one colour where their 7x7 pixels differ. Both are short binary fractions: sums are exact.
    """
    model = Oracle(config)
    randomise(model)
    with torch.no_grad():
        weight = model.conv1.weight
        weight.copy_((torch.randn(weight.shape) * 64).round() / 256)
        weight.copy_(functional.pad(weight[:, :, 2:5, 2:5], (2, 2, 2, 2)))
    down, across = (size // 6 for size in config["inputSize"])
    tiles = torch.randint(-16, 17, (batch, config["inputChannels"], down, across)) / 8
    x = tiles.repeat_interleave(6, 2).repeat_interleave(6, 3)
    return model, x, probabilities(batch, config["classes"])


STARTS = {"random": random_start, "trained": trained_start, "small-gamma": small_gamma_start, "ties": ties_start}


def images(config):
    """A function that draws images with their targets: a wave per class, in a colour, moved at random, under noise."""
    classes, (height, width) = config["classes"], config["inputSize"]
    waves = torch.rand(classes, 2) * 1.5 - 0.75  # [K, 2] radians per pixel
    colours = torch.randn(classes, config["inputChannels"], 1, 1)
    i, j = torch.arange(height)[:, None], torch.arange(width)

    def draw(count):
        labels = torch.arange(count) % classes
        start = torch.rand(count) * 2 * math.pi
        down, across = waves[labels].T[..., None, None]  # [N, 1, 1] each
        wave = torch.sin(down * i + across * j + start[:, None, None])  # [N, H, W]
        x = colours[labels] * (0.5 + wave[:, None]) + 1.5 * torch.randn(count, config["inputChannels"], height, width)
        return x, 0.875 * functional.one_hot(labels, classes).float() + 0.125 / classes

    return draw


def settle(model, x):
    """Moves the bias before each ReLU by up to 0.1, to where no value before a ReLU is nearly 0.

    Otherwise, of so many values, some lie so near 0 that rounding decides whether their gradient passes, and gradients
    in float32 would be compared at the size of those accidents and not at the size of rounding.
    """
    probe = copy.deepcopy(model).train()
    shifts = torch.linspace(-0.1, 0.1, 801, dtype=torch.float64)[:, None]

    def shift(z, bn):
        if bn is None:
            return None
        values = z.transpose(0, 1).flatten(1)  # [C, N·H·W]
        best = torch.stack([shifts[(row + shifts).abs().amin(1).argmax(), 0] for row in values])
        bias = (bn.bias + best).float().double()
        moved = z + (bias - bn.bias)[:, None, None]
        bn.bias.copy_(bias)
        return moved

    on_relu(probe, shift)
    with torch.no_grad():
        probe(x)
        for name, parameter in model.named_parameters():
            parameter.copy_(probe.get_parameter(name))


def margins(model, x):
    """How far the training pass stays from a ReLU's kink and from a tie in the max-pool."""
    probe, relu, pool = copy.deepcopy(model).train(), [], []
    on_relu(probe, lambda z, _: relu.append(z.abs().min().item()))
    if isinstance(probe.maxpool, nn.MaxPool2d):
        padded = probe.maxpool.padding == 1
        probe.maxpool.register_forward_pre_hook(lambda _, args: pool.append(pool_margin(args[0], padded)))
    with torch.no_grad():
        probe(x)
    return min(relu), pool[0] if pool else None


def probabilities(batch, classes):
    """Softmax of random logits, in multiples of 2^-16: exact in float32, and every row sums to exactly 1."""
    targets = (torch.randn(batch, classes).softmax(1) * 65536).round()
    targets[:, 0] += 65536 - targets.sum(1)
    return targets / 65536  # [N, K]


def statistics(model):
    return {name: value for name, value in model.state_dict().items() if "running_" in name or "num_batches" in name}


def last_of_ties(model, x, targets):
    """The gradients if the max-pool's went to the last of several largest values."""
    model = copy.deepcopy(model)
    model.maxpool = LastOfTies()
    results = one_pass(model, x, targets)
    return {f"last.{name}": results[f"grad.{name}"] for name in ["conv1.weight", "input"]}


def one_pass(model, x, targets):
    """Logits in both modes; loss, gradients and new running statistics of one training pass."""
    model, x = copy.deepcopy(model), x.clone().requires_grad_()
    with torch.no_grad():
        results = {"eval.logits": model.eval()(x)}
    logits = model.train()(x)
    loss = functional.cross_entropy(logits, targets)
    loss.backward()
    results |= {"train.logits": logits, "train.loss": loss, "grad.input": x.grad}
    results |= {f"grad.{name}": parameter.grad for name, parameter in model.named_parameters()}
    results |= {f"after.{name}": value for name, value in statistics(model).items()}
    return {name: value.detach() for name, value in results.items()}


def ten_steps(model, x, targets):
    """The loss before each of ten SGD steps on one batch, and the state after them."""
    model, losses = copy.deepcopy(model).train(), []
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
    for _ in range(10):
        sgd.zero_grad()
        loss = functional.cross_entropy(model(x), targets)
        loss.backward()
        sgd.step()
        losses.append(loss.detach())
    return torch.stack(losses), model.state_dict()


def distance(actual, expected):
    """||actual - expected|| / ||expected||"""
    return rounded(((actual.double() - expected).norm() / expected.norm()).item())


def rounded(value):
    return float(f"{value:.3g}")


def float32_errors(model, x, targets, results, losses, final):
    """How far PyTorch's own float32 run is from each result."""
    single = copy.deepcopy(model).float()
    actual = one_pass(single, x.float(), targets.float())
    steps, end = ten_steps(single, x.float(), targets.float())
    errors = {name: distance(actual[name], value) for name, value in results.items() if "num_batches" not in name}
    return {
        "gradientError": {name[5:]: error for name, error in errors.items() if name.startswith("grad.")},
        "statisticsError": {name[6:]: error for name, error in errors.items() if name.startswith("after.")},
        "evalLogitsError": errors["eval.logits"],
        "trainLogitsError": errors["train.logits"],
        "lossError": errors["train.loss"],
        "lossesError": distance(steps, losses),
        "finalError": {name: distance(end[name], value) for name, value in final.items() if "num_batches" not in name},
    }


def network(name, kind, seed, batch, config):
    torch.manual_seed(seed)
    model, x, targets = STARTS[kind](config, batch)
    model, x, targets = model.double(), x.double(), targets.double()
    settle(model, x)
    relu, pool = margins(model, x)
    if relu < RELU_MARGIN or (pool is not None and pool < POOL_MARGIN[kind]):
        raise ValueError(f"{name}: {relu} from a ReLU's kink, {pool} from a max-pool's tie: try another seed")

    results = one_pass(model, x, targets)
    losses, final = ten_steps(model, x, targets)
    final = final if name in KEEP_FINAL else {}
    facts = {"config": config, "batch": batch, "seed": seed, "reluMargin": rounded(relu)}
    facts |= {} if pool is None else {"poolMargin": rounded(pool)}
    facts |= float32_errors(model, x, targets, results, losses, final)
    if kind not in KEEP_INPUT_GRADIENT:
        del results["grad.input"]
    state = {key: value.float() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    tensors = {f"state.{key}": value for key, value in state.items()}
    tensors |= {**results, "losses": losses, "input": x.float(), "targets": targets.float()}
    tensors |= {f"final.{key}": value for key, value in final.items()}
    tensors |= last_of_ties(model, x, targets) if kind == "ties" else {}
    save(name, tensors, {key: json.dumps(value) for key, value in facts.items()})


def stages():
    """The maps between the stages, as torchvision's create_feature_extractor gives them, in float64."""
    torch.manual_seed(300)
    tensors = {}
    for name, (batch, config) in STAGES.items():
        model = Oracle(config)
        randomise(model)
        model = model.double().eval()
        x = torch.randn(batch, config["inputChannels"], *config["inputSize"])
        layers = [f"layer{s + 1}" for s in range(len(config["depths"]))]
        nodes = {"maxpool": "stem", **{layer: layer for layer in layers}, "flatten": "pooled", "fc": "logits"}
        if config["stem"] == "cifar":
            nodes = {"relu": "stem", **nodes}
            del nodes["maxpool"]
        with torch.no_grad():
            maps = create_feature_extractor(model, nodes)(x.double())
        tensors |= {f"{name}.state.{key}": value.float() for key, value in model.state_dict().items()}
        tensors |= {f"{name}.input": x} | {f"{name}.map.{stage}": value.float() for stage, value in maps.items()}
    save("stages", tensors, {"cases": json.dumps({name: config for name, (_, config) in STAGES.items()})})


def convolutions():
    torch.manual_seed(100)
    tensors = {}
    for index, config in enumerate(CONVOLUTIONS):
        inputs, outputs, groups = config["inputChannels"], config["outputChannels"], config["groups"]
        top, left, bottom, right = config["pads"]
        x = torch.randn(config["batch"], inputs, *config["inputSize"]).double().requires_grad_()
        w = torch.randn(outputs, inputs // groups, *config["kernelShape"]).double().requires_grad_()
        b = torch.randn(outputs).double().requires_grad_() if config["bias"] else None
        padded = functional.pad(x, (left, right, top, bottom))
        y = functional.conv2d(padded, w, b, config["strides"], 0, config["dilations"], groups)
        dy = torch.randn(y.shape).double()
        y.backward(dy)
        values = {"x": x, "w": w, "dy": dy, "y": y, "dx": x.grad, "dw": w.grad}
        if b is not None:
            values |= {"b": b, "db": b.grad}
        for key, value in values.items():
            if value.numel() > 600:
                raise ValueError(f"convolution {index}: {key} has {value.numel()} elements")
            tensors[f"{index}.{key}"] = value
    save("conv", tensors, {"cases": json.dumps(CONVOLUTIONS)})


def optimisers():
    torch.manual_seed(200)
    shapes = {"a": (3,), "b": (2, 2)}
    tensors = {f"start.{key}": torch.randn(shape).double() for key, shape in shapes.items()}
    for step in range(len(LEARNING_RATES)):
        tensors |= {f"grad.{step}.{key}": torch.randn(shape).double() for key, shape in shapes.items()}
    for name, option in OPTIMIZERS.items():
        weights = {key: tensors[f"start.{key}"].clone().requires_grad_() for key in shapes}
        momentum, nesterov, decay = option["momentum"], option["nesterov"], option["weightDecay"]
        sgd = torch.optim.SGD(weights.values(), lr=0.1, momentum=momentum, nesterov=nesterov, weight_decay=decay)
        for step, rate in enumerate(LEARNING_RATES):
            sgd.param_groups[0]["lr"] = rate
            for key, weight in weights.items():
                weight.grad = tensors[f"grad.{step}.{key}"].clone()
            sgd.step()
            tensors |= {f"{name}.{step}.{key}": weight.detach().clone() for key, weight in weights.items()}
    save("sgd", tensors, {"cases": json.dumps(OPTIMIZERS), "learningRates": json.dumps(LEARNING_RATES)})


def save(name, tensors, metadata):
    """Writes the file, then reads it back and compares."""
    path = HERE / f"{name}.safetensors"
    tensorfile.write(path, tensors, {**metadata, "torch": torch.__version__})
    again, _ = tensorfile.read(path)
    same = again.keys() == tensors.keys() and all(torch.equal(again[key], value) for key, value in tensors.items())
    if not same or not all(value.isfinite().all() for value in again.values()):
        raise ValueError(f"{path.name} does not read back as written, or is not finite")
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


def main():
    torch.set_num_threads(1)
    for kind, cases in CASES.items():
        for name, (seed, batch, config) in cases.items():
            network(name, kind, seed, batch, config)
    convolutions()
    optimisers()
    stages()


if __name__ == "__main__":
    main()
