"""Writes formats.json: what Pillow makes of small files in the formats and variants that are decoded by code of this package,
or that libvips decodes differently. BMP and GIF files are assembled here, because Pillow writes few of their variants.

Run again with any Pillow >= 9.4: `python3 src/data/golden/formats.py`.
"""

import base64
import io
import json
import os
import struct

import PIL
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

WIDTH, HEIGHT = 13, 9
state = 1


def random(below):
    global state
    state = (state * 1664525 + 1013904223) % 2**32
    return (state >> 8) % below


def noise(length, below=256):
    return bytes(random(below) for _ in range(length))


def smooth(mode):
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = [(x * (9 + 4 * c) + y * (12 - 3 * c)) % 256 for y in range(HEIGHT) for x in range(WIDTH) for c in range(bands)]
    return Image.frombytes(mode, (WIDTH, HEIGHT), bytes(pixels))


# BMP


def bmp(bits, data, header=40, compression=0, height=HEIGHT, colors=None, palette=None, masks=b"", gap=0, width=WIDTH):
    """A BMP file; `palette` has `colors` entries, of 3 bytes after a header of 12 bytes, else of 4."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(data), 2835, 2835, colors or 0, 0)
        info += (masks if header >= 52 else b"").ljust(header - 40, b"\0")
    table = palette if palette is not None else b""
    if header == 40:
        info += masks
    start = 14 + len(info) + len(table) + gap
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + table + b"\xaa" * gap + data


def rows(bits, count=HEIGHT, width=WIDTH):
    return noise((width * bits + 31) // 32 * 4 * count)


def table(colors, size):
    return noise(colors * size)


def rle(kind, marks=True):
    """Runs and stretches. Pillow reads past the operand of a move, so there are none."""
    data = bytearray()
    for y in range(HEIGHT):
        left = WIDTH
        while left > 0:
            n = 1 + random(left)
            if random(2) == 0 or n < 4:
                data += bytes([n]) + noise(1)
            else:
                n -= n % 2 if kind == 4 else 0  # Pillow loses the last index of an odd stretch
                count = n // 2 if kind == 4 else n
                data += bytes([0, n]) + noise(count) + (b"\0" if count % 2 else b"")
            left -= n
        data += b"\0\0"
    return bytes(data) + (b"\0\1" if marks else b"")


def masks(*values):
    return b"".join(struct.pack("<I", value) for value in values)


def bmps():
    files = {}
    for bits in (1, 4, 8):
        full = 2**bits
        files[f"bmp {bits} bits"] = bmp(bits, rows(bits), palette=table(full, 4), colors=full)
        files[f"bmp {bits} bits, top down"] = bmp(bits, rows(bits), palette=table(full, 4), height=-HEIGHT)
        files[f"bmp {bits} bits, os/2"] = bmp(bits, rows(bits), header=12, palette=table(full, 3))
        files[f"bmp {bits} bits, os/2 2"] = bmp(bits, rows(bits), header=64, palette=table(full, 4), colors=full)
    files["bmp 8 bits, few colors"] = bmp(8, noise(16 * HEIGHT, 20), palette=table(20, 4), colors=20)
    files["bmp 8 bits, indices without a color"] = bmp(8, rows(8), palette=table(20, 4), colors=20)
    files["bmp 8 bits, gray"] = bmp(8, rows(8), palette=b"".join(bytes([i, i, i, 0]) for i in range(256)), colors=256)
    files["bmp 8 bits, gap"] = bmp(8, rows(8), palette=table(256, 4), gap=10)
    files["bmp 1 bit, black and white"] = bmp(1, rows(1), palette=bytes([0, 0, 0, 0, 255, 255, 255, 0]), colors=2)
    for bits in (16, 24, 32):
        files[f"bmp {bits} bits"] = bmp(bits, rows(bits))
        files[f"bmp {bits} bits, top down"] = bmp(bits, rows(bits), height=-HEIGHT)
        files[f"bmp {bits} bits, version 5"] = bmp(bits, rows(bits), header=124)
    files["bmp 24 bits, os/2"] = bmp(24, rows(24), header=12)
    files["bmp 16 bits, 5-6-5"] = bmp(16, rows(16), compression=3, masks=masks(0xF800, 0x7E0, 0x1F))
    files["bmp 16 bits, 5-5-5 masks"] = bmp(16, rows(16), compression=3, masks=masks(0x7C00, 0x3E0, 0x1F))
    files["bmp 16 bits, 5-6-5, version 4"] = bmp(16, rows(16), header=108, compression=3, masks=masks(0xF800, 0x7E0, 0x1F, 0))
    files["bmp 32 bits, masks"] = bmp(32, rows(32), compression=3, masks=masks(0xFF0000, 0xFF00, 0xFF))
    files["bmp 32 bits, other order"] = bmp(32, rows(32), header=124, compression=3, masks=masks(0xFF, 0xFF00, 0xFF0000, 0xFF000000))
    files["bmp 32 bits, alpha"] = bmp(32, rows(32), header=108, compression=3, masks=masks(0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    files["bmp 32 bits, alpha first"] = bmp(32, rows(32), header=108, compression=3, masks=masks(0xFF000000, 0xFF0000, 0xFF00, 0xFF))
    for i in range(3):
        files[f"bmp rle8 {i}"] = bmp(8, rle(8), compression=1, palette=table(256, 4), colors=256)
        files[f"bmp rle4 {i}"] = bmp(4, rle(4), compression=2, palette=table(16, 4), colors=16)
    files["bmp rle8 without an end mark"] = bmp(8, rle(8, marks=False), compression=1, palette=table(256, 4), colors=256)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        files[f"bmp by Pillow, {mode}"] = saved(smooth("RGB").quantize(8) if mode == "P" else smooth("RGBA").convert(mode), "BMP")
    return files


# PNM


def pnms():
    def plain(kind, numbers, maximum):
        lines = [f"P{kind} # made by hand", "# a comment", f"{WIDTH}", f"{HEIGHT} {maximum}"]
        return ("\n".join(lines) + "\n" + " ".join(map(str, numbers)) + "\n").encode()

    pixels = WIDTH * HEIGHT
    files = {
        "pbm text": b"P1\n13 9\n" + b"".join(bytes(48 + random(2) for _ in range(WIDTH)) + b" # row\n" for _ in range(HEIGHT)),
        "pbm": b"P4\n13 9\n" + noise(2 * HEIGHT),
        "pgm text": plain(2, noise(pixels), 255),
        "pgm text, 7": plain(2, noise(pixels, 8), 7),
        "pgm": b"P5\n# by hand\n13 9\n255\n" + noise(pixels),
        "pgm, 100": b"P5 13 9 100\n" + noise(pixels, 101),
        "pgm, above its maximum": b"P5 13 9 100\n" + noise(pixels),
        "ppm text": plain(3, noise(3 * pixels), 255),
        "ppm text, 1000": plain(3, [random(1001) for _ in range(3 * pixels)], 1000),
        "ppm": b"P6\t13\r\n9\n255\n" + noise(3 * pixels),
        "ppm, 31": b"P6 13 9 31 " + noise(3 * pixels, 32),
        "ppm, 65535": b"P6 13 9 65535\n" + noise(6 * pixels),
        "ppm, 1023": b"P6 13 9 1023\n" + b"".join(struct.pack(">H", random(1024)) for _ in range(3 * pixels)),
    }
    return files


# GIF


def lzw(indices, bits):
    """Codes in blocks, with the table kept until it is full."""
    clear, end = 1 << bits, (1 << bits) + 1
    codes, known, width, held, count = [], {}, bits + 1, 0, 0
    out = bytearray()

    def emit(code):
        nonlocal held, count
        held |= code << count
        count += width
        while count >= 8:
            out.append(held & 255)
            held >>= 8
            count -= 8

    emit(clear)
    known, following, text = {(i,): i for i in range(clear)}, end + 1, ()
    for index in indices:
        if text + (index,) in known:
            text += (index,)
            continue
        emit(known[text])
        if following < 4096:
            known[text + (index,)] = following
            if following == 1 << width and width < 12:
                width += 1
            following += 1
        text = (index,)
    emit(known[text])
    if following == 1 << width and width < 12:
        width += 1
    emit(end)
    if count:
        out.append(held & 255)
    blocks = b"".join(bytes([len(out[i : i + 255])]) + bytes(out[i : i + 255]) for i in range(0, len(out), 255))
    return bytes([bits]) + blocks + b"\0"


def gif(colors, frames, screen=(WIDTH, HEIGHT), background=0):
    """`frames`: dicts of left, top, width, height, and optionally indices, transparent, local palette size, interlaced."""
    size = max(colors.bit_length() - 2, 0) if colors else 0
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, (0x80 | size) if colors else 0, background, 0)
    data += noise(3 * colors)
    for frame in frames:
        if "transparent" in frame:
            data += b"!\xf9\4" + bytes([1 | frame.get("disposal", 0) << 2, 0, 0, frame["transparent"]]) + b"\0"
        data += b"!\xfe\5hello\0"
        local = frame.get("local", 0)
        flags = (0x80 | (local.bit_length() - 2) if local else 0) | (0x40 if frame.get("interlaced") else 0)
        left, top, width, height = frame["box"]
        data += b"," + struct.pack("<HHHHB", left, top, width, height, flags) + noise(3 * local)
        bits = max(2, ((local or colors or 256) - 1).bit_length())
        data += lzw(frame.get("indices") or noise(width * height, frame.get("below", 2**bits)), bits)
    return data + b";"


def gifs():
    whole = (0, 0, WIDTH, HEIGHT)
    files = {
        "gif": gif(16, [dict(box=whole)]),
        "gif with a transparent color": gif(16, [dict(box=whole, transparent=3)]),
        "gif with two colors": gif(2, [dict(box=whole, below=2, transparent=0)]),
        "gif with a local palette": gif(16, [dict(box=whole, local=32, transparent=30)]),
        "gif with only a local palette": gif(0, [dict(box=whole, local=8)]),
        "gif without a palette": gif(0, [dict(box=whole)]),
        "gif, indices without a color": gif(4, [dict(box=whole, local=0, indices=noise(WIDTH * HEIGHT, 4))]),
        "gif interlaced": gif(256, [dict(box=whole, interlaced=True)]),
        "gif, small frame": gif(16, [dict(box=(3, 2, 5, 4))], background=7),
        "gif, small transparent frame": gif(16, [dict(box=(3, 2, 5, 4), transparent=9)], background=7),
        "gif, small interlaced frame": gif(16, [dict(box=(1, 1, 11, 7), interlaced=True, transparent=2)]),
        "gif, frame beyond the screen": gif(16, [dict(box=(3, 2, WIDTH, HEIGHT), transparent=1)]),
        "gif animated": gif(16, [dict(box=whole, transparent=1, disposal=2), dict(box=(2, 2, 4, 4), local=8)]),
        "gif, full table": gif(256, [dict(box=(0, 0, 90, 90))], screen=(90, 90)),
        "gif, long runs": gif(4, [dict(box=(0, 0, 70, 70), indices=bytes(4900))], screen=(70, 70)),
        "gif by Pillow": saved(smooth("RGB").quantize(8), "GIF", transparency=2),
    }
    return files


# what libvips reads, too


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def others():
    cmyk = saved(smooth("CMYK"), "JPEG", quality=95)
    at = cmyk.index(b"\xff\xee")
    length = 2 + int.from_bytes(cmyk[at + 2 : at + 4], "big")
    palette = smooth("RGB").quantize(8)
    files = {
        "jpeg cmyk": cmyk,
        "jpeg cmyk, not by Adobe": cmyk[:at] + cmyk[at + length :],
        "jpeg ycck": cmyk[: at + 15] + b"\2" + cmyk[at + 16 :],
        "tiff cmyk": saved(smooth("CMYK"), "TIFF"),
        "png palette with alphas": saved(palette, "PNG", transparency=bytes([0, 80, 255, 3])),
        "png gray with a transparent color": saved(smooth("L"), "PNG", transparency=12),
        "png rgb with a transparent color": saved(smooth("RGB"), "PNG", transparency=(0, 0, 0)),
        "png gray and alpha": saved(smooth("LA"), "PNG"),
        "tiff gray": saved(smooth("L"), "TIFF"),
        "tiff two colors": saved(smooth("L").convert("1"), "TIFF"),
        "tiff palette": saved(palette, "TIFF"),
        "tiff rgba": saved(smooth("RGBA"), "TIFF"),
    }
    for orientation in range(1, 9):
        tags = ImageFileDirectory_v2()
        tags[274] = orientation
        files[f"tiff with orientation {orientation}"] = saved(smooth("RGB"), "TIFF", tiffinfo=tags)
    exif = Image.Exif()
    exif[274] = 6
    files["webp with orientation"] = saved(smooth("RGB"), "WEBP", lossless=True, exif=exif)
    files["png with orientation"] = saved(smooth("RGB"), "PNG", exif=exif)
    return files


def main():
    cases = []
    for name, file in {**bmps(), **pnms(), **gifs(), **others()}.items():
        rgb = Image.open(io.BytesIO(file)).convert("RGB")
        case = dict(name=name, width=rgb.width, height=rgb.height)
        cases.append(dict(case, file=base64.b64encode(file).decode(), rgb=base64.b64encode(rgb.tobytes()).decode()))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats.json"), "w") as out:
        json.dump(dict(pillow=PIL.__version__, decode=cases), out, indent=2)
        out.write("\n")


main()
