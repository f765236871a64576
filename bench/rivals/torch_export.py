"""One set of weights in the formats that the contenders of a benchmark read. Started by bench/weights.ts.

Settings: network, config, onnx, safetensors, pt (paths to write). Weights are random. Statistics are computed from a few images
of random patches, so that values keep their magnitude from layer to layer. With noise, which a deep network can hardly
distinguish, they would be so small that rounding would affect the logits.
"""

import json
import struct

from network import network
from serve import serve


def write_safetensors(path, tensors):
    header, parts, start = {"__metadata__": {"format": "pt"}}, [], 0
    for name, value in tensors.items():
        data = value.contiguous().numpy().tobytes()
        dtype = {"float32": "F32", "int64": "I64"}[str(value.dtype).removeprefix("torch.")]
        header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [start, start + len(data)]}
        parts.append(data)
        start += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.writelines([struct.pack("<Q", len(text)), text, *parts])


def start(settings):
    import torch

    torch.manual_seed(1)
    model = network(settings)
    config = settings["config"]
    patches = torch.rand(8, config["inputChannels"], 4, 4) * 4 - 2
    images = torch.nn.functional.interpolate(patches, config["inputSize"], mode="bilinear")
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of what it sees
    with torch.no_grad():
        model.train()(images)
    model.eval()
    torch.save(model.state_dict(), settings["pt"])
    write_safetensors(settings["safetensors"], model.state_dict())
    names = {"input_names": ["input"], "output_names": ["logits"]}
    axes = {"input": {0: "N"}, "logits": {0: "N"}}
    torch.onnx.export(model, images[:1], settings["onnx"], dynamic_axes=axes, **names)
    return {"versions": {"torch": torch.__version__}}, None


serve(start)
