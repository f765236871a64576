"""Writes pillow.json: what Pillow itself makes of small pictures, for the tests of resize.ts, pixels.ts, image.ts and
transforms.ts.

Inputs of the resize cases are noise from a linear congruential generator that the test repeats; only results are kept.
Run again with any Pillow >= 7.0 and torchvision >= 0.9: `python3 src/data/golden/make.py`.
"""

import base64
import io
import json
import os

import PIL
from PIL import Image, ImageCms
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, hflip, resize, ten_crop

FILTERS = {
    "nearest": Image.NEAREST,
    "box": Image.BOX,
    "bilinear": Image.BILINEAR,
    "bicubic": Image.BICUBIC,
    "lanczos": Image.LANCZOS,
}
# input width and height, region (left, top, width, height), output width and height
SIZES = [
    (13, 11, (0, 0, 13, 11), (5, 4)),
    (13, 11, (0, 0, 13, 11), (20, 15)),
    (13, 11, (0, 0, 13, 11), (13, 6)),
    (13, 11, (0, 0, 13, 11), (7, 11)),
    (13, 11, (2, 3, 9, 5), (6, 8)),
    (13, 11, (1, 0, 12, 11), (12, 3)),
    (97, 61, (0, 0, 97, 61), (8, 9)),
    (1, 1, (0, 0, 1, 1), (3, 2)),
]


def noise(seed, width, height, mode="RGB"):
    """Bytes of a 32-bit linear congruential generator; every other picture row is black or white, to reach the clamps."""
    data = bytearray()
    length = width * len(Image.new(mode, (1, 1)).getbands())
    for y in range(height):
        for _ in range(length):
            seed = (seed * 1664525 + 1013904223) % 2**32
            data.append(seed >> 24 if y % 2 else 255 * (seed >> 31))
    return Image.frombytes(mode, (width, height), bytes(data))


def text(data):
    return base64.b64encode(data).decode()


def resized():
    cases = []
    for seed, (width, height, (left, top, w, h), out) in enumerate(SIZES, start=1):
        for mode in ("RGB", "L"):
            picture = noise(seed, width, height, mode).crop((left, top, left + w, top + h))
            case = dict(seed=seed, mode=mode, width=width, height=height, left=left, top=top, regionWidth=w, regionHeight=h)
            case.update(toWidth=out[0], toHeight=out[1])
            for name, resample in FILTERS.items():
                if mode == "RGB" or name == "bicubic":
                    case[name] = text(picture.resize(out, resample).tobytes())
            cases.append(case)
    return cases


def smooth(mode):
    """Something that JPEG likes, so that the file stays small."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = [(x * (9 + 4 * c) + y * (12 - 3 * c)) % 256 for y in range(14) for x in range(19) for c in range(bands)]
    return Image.frombytes(mode, (19, 14), bytes(pixels))


def profile():
    """An sRGB profile with red and green exchanged: a reader that obeys it returns other colours."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.find(b"rXYZ"), data.find(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


def decoded():
    rotated = Image.Exif()
    rotated[0x0112] = 6
    files = {
        "jpeg 4:2:0": (smooth("RGB"), "JPEG", {}),
        "jpeg 4:4:4": (smooth("RGB"), "JPEG", dict(subsampling=0)),
        "jpeg progressive": (smooth("RGB"), "JPEG", dict(progressive=True)),
        "jpeg grey": (smooth("L"), "JPEG", {}),
        "jpeg with orientation": (smooth("RGB"), "JPEG", dict(exif=rotated)),
        "jpeg with profile": (smooth("RGB"), "JPEG", dict(icc_profile=profile())),
        "png rgba": (smooth("RGBA"), "PNG", {}),
        "png grey and alpha": (smooth("LA"), "PNG", {}),
        "png palette with transparency": (smooth("RGB").quantize(8), "PNG", dict(transparency=3)),
        "png two colours": (smooth("L").convert("1"), "PNG", {}),
        "gif": (smooth("RGB").quantize(8), "GIF", {}),
        "webp": (smooth("RGB"), "WEBP", {}),
        "tiff lzw": (smooth("RGB"), "TIFF", dict(compression="tiff_lzw")),
    }
    cases = []
    for name, (picture, kind, options) in files.items():
        file = io.BytesIO()
        picture.save(file, kind, **options)
        rgb = Image.open(io.BytesIO(file.getvalue())).convert("RGB")
        cases.append(dict(name=name, width=rgb.width, height=rgb.height, file=text(file.getvalue()), rgb=text(rgb.tobytes())))
    return cases


def views():
    """torchvision's ten crops and its centre crop with its mirror image, of pictures resized to the shorter side."""
    cases = []
    for seed, (width, height, side, size) in enumerate([(23, 17, 12, 8), (13, 29, 9, 8), (20, 20, 11, 11), (31, 18, 13, 6)], start=1):
        picture = resize(noise(seed, width, height), side, InterpolationMode.BILINEAR)
        middle = center_crop(picture, [size, size])
        flip, ten = [middle, hflip(middle)], ten_crop(picture, [size, size])
        case = dict(seed=seed, width=width, height=height, resize=side, size=size)
        case.update(flip=text(b"".join(view.tobytes() for view in flip)), tenCrop=text(b"".join(view.tobytes() for view in ten)))
        cases.append(case)
    return cases


def main():
    golden = dict(
        pillow=PIL.__version__,
        resize=resized(),
        decode=decoded(),
        views=views(),
        grayscale=text(noise(99, 16, 16).convert("L").tobytes()),
    )
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pillow.json"), "w") as file:
        json.dump(golden, file, indent=2)
        file.write("\n")


main()
