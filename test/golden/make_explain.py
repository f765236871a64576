"""Makes explain.safetensors, Grad-CAM and CAM by PyTorch's autograd: python3 test/golden/make_explain.py

Networks and images are those of stages.safetensors and of four others. Computed in float64. README.md lists the contents.
"""

import sys

sys.dont_write_bytecode = True

import json
import pathlib

import torch

import tensorfile
from oracle import Oracle

HERE = pathlib.Path(__file__).resolve().parent
KEPT = 2  # classes of each stage: those with the largest maps, since a map may be all zeros


def networks():
    """(name, config, state, images) of each network."""
    tensors, metadata = tensorfile.read(HERE / "stages.safetensors")
    for name, config in json.loads(metadata["cases"]).items():
        yield name, config, f"{name}.state.", tensors, tensors[f"{name}.input"]
    for name in ("se-d", "eca-t", "aa-se", "senet"):
        tensors, metadata = tensorfile.read(HERE / f"{name}.safetensors")
        yield name, json.loads(metadata["config"]), "state.", tensors, tensors["input"]


def explain(model, x, stage, k):
    """Grad-CAM of class k at a stage, and the stage's maps."""
    kept = []
    hook = model.get_submodule(stage).register_forward_hook(lambda module, inputs, output: kept.append(output))
    logit = model(x)[0, k]
    hook.remove()
    (slope,) = torch.autograd.grad(logit, kept[0])
    weights = slope.mean((2, 3), keepdim=True)
    return torch.relu((weights * kept[0]).sum(1)[0]), kept[0][0]


def main():
    torch.set_num_threads(1)
    tensors = {}
    for name, config, prefix, found, images in networks():
        model = Oracle(config)
        model.load_state_dict({k[len(prefix) :]: v for k, v in found.items() if k.startswith(prefix)})
        model = model.double().eval()
        x = images[:1].double()
        stages = [f"layer{s + 1}" for s in range(len(config["depths"]))]
        for stage in stages:
            explained = {k: explain(model, x, stage, k) for k in range(config["classes"])}
            largest = sorted(explained, key=lambda k: -explained[k][0].max())[:KEPT]
            for k in largest:
                gradcam, maps = explained[k]
                tensors[f"{name}.{stage}.{k}"] = gradcam
                if stage == stages[-1]:
                    tensors[f"{name}.cam.{k}"] = torch.einsum("c,chw->hw", model.fc.weight[k], maps)
    path = HERE / "explain.safetensors"
    tensorfile.write(path, tensors, {"torch": torch.__version__})
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")
    zero = [name for name, value in tensors.items() if not value.any()]
    if zero:
        raise ValueError(f"nothing to compare in {', '.join(zero)}")


if __name__ == "__main__":
    main()
