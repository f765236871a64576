"""Read and write safetensors files with nothing but json, struct and PyTorch.

A file is: the header's length (u64, little-endian), the header (JSON, padded with spaces to 8 bytes),
then the tensors' bytes. 8-byte types come first, so every tensor lies at a multiple of its element's size.
"""

import json
import struct

import numpy
import torch

DTYPES = {
    "F64": torch.float64,
    "I64": torch.int64,
    "F32": torch.float32,
    "I32": torch.int32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def to_bytes(tensor):
    return tensor.detach().contiguous().numpy().tobytes()


def write(path, tensors, metadata):
    """tensors: name -> tensor (F64, I64 or F32); metadata: name -> string."""
    header, chunks, offset = {"__metadata__": metadata}, [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        chunk = to_bytes(tensor)
        offsets = [offset, offset + len(chunk)]
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def read(path):
    """The tensors by name, and the metadata. Refuses a file whose offsets leave holes or overlap."""
    with open(path, "rb") as file:
        raw = file.read()
    (length,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
        size = int(numpy.prod(shape, dtype=numpy.int64)) * torch.empty(0, dtype=dtype).element_size()
        if first != end or last - first != size:
            raise ValueError(f'{path}: "{name}" {shape} has bytes {first}..{last}, expected {end}..{end + size}')
        chunk = bytearray(raw[8 + length + first : 8 + length + last])
        tensors[name] = (torch.frombuffer(chunk, dtype=dtype) if size else torch.empty(0, dtype=dtype)).reshape(shape)
        end = last
    if 8 + length + end != len(raw):
        raise ValueError(f"{path}: {len(raw)} bytes, but the header describes {8 + length + end}")
    return tensors, metadata
