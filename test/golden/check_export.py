"""Loads what this package writes into other people's software, and says what came of it.

    check_export.py --weights FILE (--config JSON | --model NAME) [--input FILE] [--double] [--prefix state.]
    check_export.py --onnx FILE

--weights: a safetensors file with torchvision's names. It is loaded with strict=True into torchvision's class of
that name (resnext50_32x4d, ...), or into the one that the configuration describes; --prefix takes only the names that
begin so. --input: a safetensors file with a tensor "input", or with one tensor. Prints one line of JSON:
{"tensors": 320, "logits": [[...], ...]}, without logits where there is no input.
--onnx prints "checker: ok", the opsets and the IR version. It fails on files newer than the installed onnx.
Whatever fails ends the program with a Python error and a status other than 0.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import json

import torch

import tensorfile


def build(options, tensors):
    if options.model:
        from torchvision import models

        return getattr(models, options.model)(num_classes=tensors["fc.weight"].shape[0])
    from oracle import Oracle

    return Oracle(json.loads(options.config))


def read_input(path):
    tensors, _ = tensorfile.read(path)
    if "input" not in tensors and len(tensors) != 1:
        raise ValueError(f'{path} has {len(tensors)} tensors, and none is called "input"')
    return tensors["input"] if "input" in tensors else next(iter(tensors.values()))


def check_weights(options):
    tensors, _ = tensorfile.read(options.weights)
    start = len(options.prefix)
    tensors = {name[start:]: value for name, value in tensors.items() if name.startswith(options.prefix)}
    model = build(options, tensors)
    model.load_state_dict(tensors, strict=True)
    dtype = torch.float64 if options.double else torch.float32
    answer = {"tensors": len(tensors)}
    if options.input:
        with torch.no_grad():
            answer["logits"] = model.to(dtype).eval()(read_input(options.input).to(dtype)).tolist()
    print(json.dumps(answer))


def check_onnx(path):
    import onnx

    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path, load_external_data=False)
    print("checker: ok")
    for opset in model.opset_import:
        print(f"opset {opset.domain}: {opset.version}" if opset.domain else f"opset: {opset.version}")
    print(f"IR version: {model.ir_version}")


def main():
    parser = argparse.ArgumentParser(description="Loads exported weights into torchvision, and ONNX files into onnx.")
    parser.add_argument("--weights", help="safetensors file with torchvision's names")
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--config", help="the network, as the package's configuration in JSON")
    network.add_argument("--model", help="the network, as torchvision's name, for example resnext50_32x4d")
    parser.add_argument("--input", help="safetensors file with the images, [N, C, H, W]")
    parser.add_argument("--prefix", default="", help="take only the names that begin so, and drop this beginning")
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--onnx", help="ONNX file for onnx's checker, with shape inference")
    options = parser.parse_args()
    if not options.weights and not options.onnx:
        parser.error("give --weights or --onnx")
    if options.weights and not options.config and not options.model:
        parser.error("--weights needs --config or --model")
    if options.weights:
        check_weights(options)
    if options.onnx:
        check_onnx(options.onnx)


main()
