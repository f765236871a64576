"""Writes small files of weights in every container, and expected.json with what is in them: python3 src/weights/golden/make.py

Values are seeded and compared bit for bit, NaNs and subnormal numbers among them. Needs PyTorch 1.13 or near it.
"""

import argparse
import base64
import collections
import io
import json
import pathlib
import struct
import zipfile

import numpy
import torch

HERE = pathlib.Path(__file__).resolve().parent
NAMES = {
    torch.float64: ("F64", "float64"),
    torch.float32: ("F32", "float32"),
    torch.float16: ("F16", "float16"),
    torch.bfloat16: ("BF16", "bfloat16"),
    torch.int64: ("I64", "int64"),
    torch.int32: ("I32", "int32"),
    torch.int16: ("I16", "int16"),
    torch.int8: ("I8", "int8"),
    torch.uint8: ("U8", "uint8"),
    torch.bool: ("BOOL", "bool"),
}
EXPECTED = {"torch": torch.__version__, "states": {}, "files": {}}


def to_bytes(tensor):
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.int16)
    return tensor.numpy().tobytes()


def expect(state, tensors):
    """Keeps what a state dict holds under a name, and gives the dict back."""
    EXPECTED["states"][state] = [
        {
            "name": name,
            "dtype": NAMES[tensor.dtype][1],
            "dims": list(tensor.shape),
            "bytes": base64.b64encode(to_bytes(tensor)).decode(),
        }
        for name, tensor in tensors.items()
    ]
    return tensors


def keep(file, data, state):
    (HERE / file).parent.mkdir(exist_ok=True)
    (HERE / file).write_bytes(data)
    if state:
        EXPECTED["files"][file] = state


def make_state():
    """A tensor of each type and of each way to lie in memory."""
    state = collections.OrderedDict()
    state["conv1.weight"] = torch.randn(4, 2, 3, 3)
    state["bn1.running_var"] = torch.rand(4) + 0.5
    state["bn1.num_batches_tracked"] = torch.tensor(100)
    state["fc.weight"] = torch.nn.Parameter(torch.randn(3, 4))
    state["transposed"] = torch.randn(5, 3).t()
    state["channels_last"] = torch.randn(2, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    shared = torch.randn(12)
    state["shared.whole"] = shared
    state["shared.part"] = shared[4:10].view(2, 3)
    state["shared.every_second"] = shared[1::2]
    state["expanded"] = torch.randn(5).expand(3, 5)
    state["empty"] = torch.empty(0, 3)
    state["special"] = torch.tensor([0x7FC00001, -0x400000 + 1, -0x80000000, 1, 0x7F800000], dtype=torch.int32).view(torch.float32)
    state["double"] = torch.randn(3, dtype=torch.float64)
    state["half"] = torch.tensor([1.5, -0.0, float("inf"), 6e-8, 65504.0]).half()
    state["bfloat16"] = torch.randn(5).bfloat16()
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        state[str(dtype).split(".")[1]] = torch.randint(0 if dtype == torch.uint8 else -100, 100, (2, 2), dtype=dtype)
    state["bool"] = torch.tensor([True, False, True])
    return state


def safetensors(tensors, metadata=None):
    header, chunks, offset = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        chunk = to_bytes(tensor)
        offsets = [offset, offset + len(chunk)]
        header[name] = {"dtype": NAMES[tensor.dtype][0], "shape": list(tensor.shape), "data_offsets": offsets}
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(chunks)


def saved(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def zipped(files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, method)
    return out.getvalue()


def unzipped(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def make_safetensors(state):
    keep("plain.safetensors", safetensors(state, {"format": "pt"}), "plain")
    floats = {name: tensor for name, tensor in state.items() if tensor.dtype == torch.float32}
    for name, dtype in (("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        made = expect(name, {key: tensor.detach().to(dtype) for key, tensor in floats.items()})
        keep(f"{name}.safetensors", safetensors(made), name)
    names = list(state)
    shards = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    where = {name: file for file, held in shards.items() for name in held}
    for file, held in shards.items():
        keep(f"sharded/{file}", safetensors({name: state[name] for name in held}, {"format": "pt"}), None)
    index = {"metadata": {"total_size": 0}, "weight_map": {name: where[name] for name in names}}
    keep("sharded/model.safetensors.index.json", json.dumps(index, indent=2).encode(), "plain")


def make_pytorch(state):
    for protocol in range(2, 6):
        keep(f"protocol-{protocol}.pth", saved(state, pickle_protocol=protocol), "plain")
    legacy = saved(state, _use_new_zipfile_serialization=False)
    keep("legacy.pth", legacy, "plain")
    keep("legacy-4.pth", saved(state, _use_new_zipfile_serialization=False, pickle_protocol=4), "plain")
    plain = saved(state)
    keep("deflated.pth", zipped(unzipped(plain)), "plain")
    keep("zip.pth.zip", zipped({"zip.pth": plain}), "plain")
    keep("legacy.pth.zip", zipped({"folder/legacy.pth": legacy}), "plain")
    keep("stored.pth.zip", zipped({"zip.pth": plain}, zipfile.ZIP_STORED), "plain")


def make_nested(state):
    other = {name: tensor.detach() * 0 for name, tensor in state.items()}
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}
    model = torch.nn.Linear(3, 2)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(1, 3)).sum().backward()
    sgd.step()
    checkpoint = {
        "epoch": 90,
        "arch": "resnext50_32x4d",
        "best_acc1": numpy.float64(77.5),
        "args": argparse.Namespace(lr=0.1, rank=None),
        "optimizer": sgd.state_dict(),
        "state_dict": state,
    }
    keep("nested-state-dict.pth", saved(checkpoint), "plain")
    keep("nested-state-dict-legacy.pth", saved(checkpoint, _use_new_zipfile_serialization=False), "plain")
    keep("nested-model-state.pth", saved({"model_state": wrapped, "step": 3}), "plain")
    averaged = {"n_averaged": torch.tensor(7), **{f"module.{name}": tensor for name, tensor in state.items()}}
    keep("nested-model-ema.pth", saved({"model": other, "model_ema": averaged, "epoch": 1}), "plain")
    compiled = {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()}
    keep("nested-twice.pth", saved({"model": {"state_dict": {**compiled, "version": 3}}}), "plain")
    keep("whole-model.pth", saved(torch.nn.Sequential(torch.nn.Linear(2, 2))), None)


class Torch7:
    """Writes objects of Torch7 in binary: integers are 32 bits, longs 64, both little-endian."""

    def __init__(self):
        self.out, self.index, self.storages = io.BytesIO(), 0, {}

    def int(self, value):
        self.out.write(struct.pack("<i", value))

    def long(self, *values):
        self.out.write(struct.pack(f"<{len(values)}q", *values))

    def text(self, value):
        self.int(len(value))
        self.out.write(value.encode())

    def begin(self, kind):
        self.index += 1
        self.int(kind)
        self.int(self.index)

    def write(self, value):
        if value is None:
            self.int(0)
        elif isinstance(value, bool):
            self.int(5)
            self.int(value)
        elif isinstance(value, (int, float)):
            self.int(1)
            self.out.write(struct.pack("<d", value))
        elif isinstance(value, str):
            self.int(2)
            self.text(value)
        elif isinstance(value, dict):
            self.begin(3)
            self.table(value)
        elif isinstance(value, torch.Tensor):
            self.tensor(value)
        elif isinstance(value, Module):
            self.object(value.kind)
            self.write(value.fields)
        else:
            self.begin(8)  # a function: its code, and a table of what it closes over
            self.text("code")
            self.write({})

    def table(self, value):
        self.int(len(value))
        for key, item in value.items():
            self.write(key)
            self.write(item)

    def object(self, kind):
        self.begin(4)
        self.text("V 1")
        self.text(kind)

    def tensor(self, value):
        element = {torch.float32: "Cuda", torch.float64: "Double", torch.int64: "Long"}[value.dtype]
        self.object(f"torch.{element}Tensor")
        self.int(value.dim())
        self.long(*value.shape)
        self.long(*value.stride())
        self.long(value.storage_offset() + 1)
        place = value.storage().data_ptr()
        if value.numel() == 0:
            self.write(None)
        elif place in self.storages:
            self.int(4)
            self.int(self.storages[place])
        else:
            self.object(f"torch.{element}Storage")
            self.storages[place] = self.index
            whole = torch.tensor([], dtype=value.dtype).set_(value.storage())
            self.long(whole.numel())
            self.out.write(whole.numpy().tobytes())


class Module:
    def __init__(self, kind, **fields):
        self.kind, self.fields = kind, {"train": False, "_type": "torch.CudaTensor", **fields}


def container(kind, *modules):
    return Module(kind, modules={i + 1: module for i, module in enumerate(modules)}, output=torch.empty(0))


def make_torch7():
    flat = torch.randn(200)  # parameters are views of one storage, as getParameters() leaves them
    used = 0

    def take(*shape):
        nonlocal used
        size = int(numpy.prod(shape))
        used += size
        return flat[used - size : used].view(shape)

    def conv(*shape):
        return Module("cudnn.SpatialConvolution", gradWeight=torch.empty(0), groups=1, weight=take(*shape), nInputPlane=shape[1])

    def norm(width):
        statistics = {"running_var": torch.rand(width, dtype=torch.float64), "running_mean": torch.randn(width)}
        return Module("nn.SpatialBatchNormalization", eps=1e-5, bias=take(width), weight=take(width), **statistics)

    relu = Module("cudnn.ReLU", inplace=True, hook=print)
    branch = container("nn.Sequential", conv(4, 4, 1, 1), norm(4), relu, conv(4, 1, 3, 3))
    block = container("nn.Sequential", container("nn.ConcatTable", branch, Module("nn.Identity")), Module("nn.CAddTable"), relu)
    linear = Module("nn.Linear", bias=take(3), weight=take(3, 4))
    net = container("nn.Sequential", conv(4, 2, 3, 3), norm(4), relu, container("nn.Sequential", block), Module("nn.View", size=torch.tensor([4])), linear)
    state = {}

    def walk(module, path):
        for field in ("weight", "bias", "running_mean", "running_var"):
            if field in module.fields:
                state[path + field] = module.fields[field]
        for i, child in module.fields.get("modules", {}).items():
            walk(child, f"{path}{i}.")

    walk(net, "")
    writer = Torch7()
    writer.write(net)
    keep("network.t7", writer.out.getvalue(), "torch7")
    expect("torch7", state)


def main():
    torch.manual_seed(5)
    state = expect("plain", make_state())
    make_safetensors(state)
    make_pytorch(state)
    make_nested(state)
    make_torch7()
    (HERE / "expected.json").write_text(json.dumps(EXPECTED, indent=2) + "\n")


if __name__ == "__main__":
    main()
