"""Makes the files of this folder: python3 src/datasets/golden/make.py

With `parquet` as argument, it makes only the Parquet files. Archives as GNU tar, POSIX pax and Info-ZIP's formats have them, by Python's tarfile and zipfile; CIFAR's files as their
authors wrote them, checked with torchvision's own reader; Parquet files by pyarrow 25 (`pip install pyarrow`), with the
features that the library `datasets` writes. expected.json says what is in them: names, labels, SHA-256 of bytes.
"""

import sys

sys.dont_write_bytecode = True

import hashlib
import io
import json
import pathlib
import pickle
import tarfile
import zipfile

import numpy

HERE = pathlib.Path(__file__).parent
RANDOM = numpy.random.RandomState(0)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def picture(side=3):
    """A small PPM file of noise."""
    return b"P6 %d %d 255\n" % (side, side) + RANDOM.bytes(3 * side * side)


LONG = "a" * 120 + "/" + "b" * 130 + ".ppm"
NAMES = ["rose/1.ppm", "rose/deep/2.ppm", "tulip/" + LONG, "tulip/é ü.ppm"]


def archives():
    files = {f"flowers/{name}": picture() for name in NAMES}
    for name, kind in {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}.items():
        write_tar(HERE / f"{name}.tar", files, kind)
    short = {name: data for name, data in files.items() if len(name) < 100}
    write_tar(HERE / "ustar.tar", {**short, "flowers/tulip/" + "c" * 90 + "/" + "d" * 80 + ".ppm": picture()}, tarfile.USTAR_FORMAT)
    with zipfile.ZipFile(HERE / "archive.zip", "w") as archive:
        for i, (name, data) in enumerate(files.items()):
            method = zipfile.ZIP_DEFLATED if i % 2 else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, method)
    with zipfile.ZipFile(HERE / "zip64.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            with archive.open(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), "w", force_zip64=True) as member:
                member.write(data)
    return {name: sha(data) for name, data in files.items()}


def write_tar(path, files, kind):
    with tarfile.open(path, "w", format=kind) as archive:
        for folder in ("flowers", "flowers/rose"):
            member = tarfile.TarInfo(folder)
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("flowers/rose/link.ppm")
        link.type, link.linkname = tarfile.SYMTYPE, "1.ppm"
        archive.addfile(link)


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings: BINSTRING and SHORT_BINSTRING."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_bytes(self, data):
        short = len(data) < 256
        self.write(b"U" + bytes([len(data)]) if short else b"T" + len(data).to_bytes(4, "little"))
        self.write(data)
        self.memoize(data)

    def save_text(self, text):
        self.save_bytes(text.encode("latin1"))

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text


def dump(value, protocol):
    if protocol > 2:
        return pickle.dumps(value, protocol)
    out = io.BytesIO()
    Python2Pickler(out, 2).dump(value)
    return out.getvalue()


TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FINE = [f"fine {i}" for i in range(100)]
COARSE = [f"coarse {i}" for i in range(20)]


def cifar():
    expected = {}
    binary, py = folder("cifar-10-batches-bin"), folder("cifar-10-batches-py")
    rows = {}
    for number, batch in enumerate(["data_batch_1", "data_batch_2", "test_batch"]):
        labels = [int(label) for label in RANDOM.randint(0, 10, 4)]
        data = RANDOM.randint(0, 256, (4, 3072)).astype(numpy.uint8)
        (binary / f"{batch}.bin").write_bytes(b"".join(bytes([l]) + row.tobytes() for l, row in zip(labels, data)))
        value = {"batch_label": "batch", "labels": labels, "data": data, "filenames": [f"{i}.png" for i in range(4)]}
        (py / batch).write_bytes(dump(value, [2, 4, 5][number]))
        rows[batch] = images(labels, data)
    (binary / "batches.meta.txt").write_text("\n".join(TEN) + "\n\n")
    (py / "batches.meta").write_bytes(dump({"num_cases_per_batch": 4, "label_names": TEN, "num_vis": 3072}, 2))
    expected["cifar-10"] = rows
    binary, py = folder("cifar-100-binary"), folder("cifar-100-python")
    rows = {}
    for batch in ("train", "test"):
        fine = [int(label) for label in RANDOM.randint(0, 100, 4)]
        coarse = [int(label) for label in RANDOM.randint(0, 20, 4)]
        data = RANDOM.randint(0, 256, (4, 3072)).astype(numpy.uint8)
        records = (bytes([c, f]) + row.tobytes() for c, f, row in zip(coarse, fine, data))
        (binary / f"{batch}.bin").write_bytes(b"".join(records))
        value = {"fine_labels": fine, "coarse_labels": coarse, "data": data, "filenames": ["x.png"] * 4}
        (py / batch).write_bytes(dump(value, 2))
        rows[batch] = images(fine, data, coarse)
    (binary / "fine_label_names.txt").write_text("\n".join(FINE))
    (binary / "coarse_label_names.txt").write_text("\n".join(COARSE))
    (py / "meta").write_bytes(dump({"fine_label_names": FINE, "coarse_label_names": COARSE}, 2))
    expected["cifar-100"] = rows
    check_with_torchvision(expected["cifar-10"])
    return expected


def images(labels, data, coarse=None):
    interleaved = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    rows = [{"label": l, "sha256": sha(row.tobytes())} for l, row in zip(labels, interleaved)]
    return [{**row, "coarse": c} for row, c in zip(rows, coarse)] if coarse else rows


def check_with_torchvision(expected):
    """torchvision reads the pickles alike; its lists of files and their checksums are replaced."""
    from torchvision.datasets import CIFAR10

    class Small(CIFAR10):
        train_list = [["data_batch_1", None], ["data_batch_2", None]]
        test_list = [["test_batch", None]]
        meta = {"filename": "batches.meta", "key": "label_names", "md5": None}

        def _check_integrity(self):
            return True

    for train, batches in ((True, ["data_batch_1", "data_batch_2"]), (False, ["test_batch"])):
        found = Small(HERE, train=train)
        rows = [row for batch in batches for row in expected[batch]]
        assert found.classes == TEN and found.targets == [row["label"] for row in rows]
        assert [sha(image.tobytes()) for image in found.data] == [row["sha256"] for row in rows]


def folder(name):
    path = HERE / name
    path.mkdir(exist_ok=True)
    return path


def parquet():
    RANDOM.seed(1)
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        print("pyarrow is missing: the Parquet files stay as they are")
        known = HERE / "expected.json"
        return json.loads(known.read_text())["parquet"] if known.exists() else None
    names = ["rose", "tulip", "daisy"]
    features = {
        "image": {"_type": "Image"},
        "label": {"names": names, "_type": "ClassLabel"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    rows = [{"bytes": picture(5 + i % 4), "path": f"{i:02}.ppm", "label": int(RANDOM.randint(0, 3))} for i in range(40)]
    rows[7]["bytes"] = rows[3]["bytes"]
    image = pa.array([{"bytes": row["bytes"], "path": row["path"]} for row in rows], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    label = pa.array([row["label"] for row in rows], pa.int64())
    table = pa.table({"image": image, "label": label}).replace_schema_metadata(metadata)
    variants = {
        "plain": {"compression": "none", "use_dictionary": False},
        "snappy": {"compression": "snappy", "row_group_size": 16, "data_page_size": 512, "write_batch_size": 4},
        "gzip": {"compression": "gzip", "data_page_version": "2.0", "use_dictionary": False, "row_group_size": 25},
        "brotli": {"compression": "brotli", "data_page_version": "2.0", "write_page_index": True},
        "lz4": {"compression": "lz4"},
    }
    for name, options in variants.items():
        pq.write_table(table, HERE / f"{name}.parquet", **options)
    missing = [None if i == 2 else {"bytes": row["bytes"], "path": None} for i, row in enumerate(rows)]
    labels = [None if i == 5 else names[row["label"]] for i, row in enumerate(rows)]
    table = pa.table({"picture": pa.array(missing, image.type), "kind": pa.array(labels)})
    pq.write_table(table, HERE / "missing.parquet", row_group_size=9)
    return {"classes": names, "rows": [{"label": r["label"], "path": r["path"], "sha256": sha(r["bytes"])} for r in rows]}


if __name__ == "__main__":
    if sys.argv[1:] == ["parquet"]:  # pyarrow may be in another Python than torchvision
        expected = {**json.loads((HERE / "expected.json").read_text()), "parquet": parquet()}
    else:
        expected = {"archives": archives(), **cifar(), "parquet": parquet()}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
