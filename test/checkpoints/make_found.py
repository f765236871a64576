"""Writes checkpoints in which the network has to be found: python3 test/checkpoints/make_found.py

Sliced networks, modules registered twice, whole models, TorchScript, heads of other names, shards of PyTorch, and what
libraries keep beside the weights. found.json holds the logits in float64, as expected.json does for make.py, whose networks
these are. Seeded; needs PyTorch 1.13 and torchvision 0.14, or near them.
"""

import argparse
import collections
import copy
import datetime
import importlib.util
import json
import pathlib
import sys
import types

sys.dont_write_bytecode = True

import numpy
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("base", HERE / "make.py")
base = importlib.util.module_from_spec(spec)
spec.loader.exec_module(base)


def whole(module):
    """Pickled by a name that Python can import when it loads the file again."""
    fake = types.ModuleType("networks")
    sys.modules["networks"] = fake
    fake.Narrow = base.Narrow
    base.Narrow.__module__, base.Narrow.__qualname__ = "networks", "Narrow"
    return base.files.saved(module)


def unknown(name, state):
    """An object of a class that nobody has installed."""
    module, kind = name.rsplit(".", 1)
    parts = module.split(".")
    for i in range(len(parts)):
        path = ".".join(parts[: i + 1])
        sys.modules[path] = sys.modules.get(path, types.ModuleType(path))
    made = type(kind, (), {"__module__": module})
    setattr(sys.modules[module], kind, made)
    thing = made()
    thing.__dict__.update(state)
    return thing


def net():
    return base.trained(base.varied(base.Narrow()))[0]


def sliced(part, head):
    """The children of a network up to the pool, and a head of its own."""
    body = list(net().children())[:part]
    return base.varied(nn.Sequential(nn.Sequential(*body), head)).eval()


def main():
    torch.manual_seed(17)
    torch.set_num_threads(1)
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]

    norm = nn.BatchNorm1d(64)
    nn.init.uniform_(norm.running_mean, -0.5, 0.5)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.uniform_(norm.bias, -0.5, 0.5)
    fastai = sliced(-2, nn.Sequential(*pooled, norm, nn.Dropout(), nn.Linear(64, 5, bias=False)))
    base.keep("found/fastai.pth", base.files.saved({"model": fastai.state_dict(), "opt": {}}), fastai)

    whole_sequence = nn.Sequential(*list(net().children())[:-1], nn.Flatten(), nn.Linear(64, 5)).eval()
    base.keep("found/sequential.pth", base.files.saved(whole_sequence.state_dict()), whole_sequence)

    twice = nn.Module()
    twice.base = net()
    twice.features = nn.Sequential(*list(twice.base.children())[:-1])
    base.keep("found/registered-twice.pth", base.files.saved(twice.state_dict()), twice.base)

    wrapped = nn.Module()
    wrapped.backbone = net()
    wrapped.neck, wrapped.backbone.fc = wrapped.backbone.fc, nn.Identity()
    logits = nn.Sequential(wrapped.backbone, wrapped.neck).eval()
    classes = {"meta": {"dataset_meta": {"classes": tuple("abcde")}}}
    log = unknown("mmengine.logging.history_buffer.HistoryBuffer", {"_log_history": numpy.array([0.5])})
    beside = {"message_hub": collections.OrderedDict(loss=log), "time": datetime.datetime(2024, 2, 29),
              "counts": collections.defaultdict(int, a=1), "path": pathlib.PurePosixPath("a/b"),
              "cfg": unknown("yacs.config.CfgNode", {"MODEL": "resnext"}), "args": argparse.Namespace(lr=0.1), "stats": numpy.arange(3.0)}
    base.keep("found/wrapped.pth", base.files.saved({**classes, "state_dict": wrapped.state_dict(), **beside}), logits)

    student, teacher = net(), net()
    both = {"epoch": 1, "student": student.state_dict(), "runs": [{"teacher_weights": teacher.state_dict()}]}
    base.keep("found/teacher.pth", base.files.saved(both), teacher)

    model = net()
    base.keep("found/whole.pth", whole(model), model)
    base.keep("found/whole-stream.pth", base.files.saved(model, _use_new_zipfile_serialization=False), model)
    path = HERE / "found/script.pt"
    torch.jit.trace(model, torch.zeros(1, 3, 32, 32)).save(str(path))
    base.expect("found/script.pt", model)

    state = model.state_dict()
    names = list(state)
    shards = {"pytorch_model-00001-of-00002.bin": names[:30], "pytorch_model-00002-of-00002.bin": names[30:]}
    (HERE / "found/bin").mkdir(exist_ok=True)
    for file, held in shards.items():
        (HERE / "found/bin" / file).write_bytes(base.files.saved({name: state[name].clone() for name in held}))
    where = {name: file for file, held in shards.items() for name in held}
    base.keep("found/bin/pytorch_model.bin.index.json", json.dumps({"metadata": {}, "weight_map": where}, indent=1).encode(), model)

    deep = copy.deepcopy(model)
    deep.fc = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 5))
    (HERE / "found/deep-head.pth").write_bytes(base.files.saved(deep.state_dict()))
    (HERE / "found.json").write_text(json.dumps(base.EXPECTED, indent=1) + "\n")


if __name__ == "__main__":
    main()
