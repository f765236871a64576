"""The peak performance of PyTorch (oneDNN): a chain of 1x1 convolutions, or passes over a large tensor.

Settings: kind ("conv-nchw", "conv-channels_last", "conv-blocked", "copy", "read"), depth, dims, threads. Started by
bench/children.ts.
"""

from serve import serve


def convolution(torch, kind, dims):
    channels = dims[1]
    conv = torch.nn.Conv2d(channels, channels, 1, bias=False).eval()
    x = torch.rand(*dims) * 2 - 1
    if kind == "conv-channels_last":
        return conv.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if kind == "conv-blocked":
        from torch.utils import mkldnn

        return mkldnn.to_mkldnn(conv), x.to_mkldnn()
    return conv, x


def start(settings):
    import torch

    torch.set_num_threads(settings["threads"])
    kind, depth, dims = settings["kind"], settings["depth"], settings["dims"]
    facts = {"versions": {"torch": torch.__version__}}
    if kind.startswith("conv"):
        conv, x = convolution(torch, kind, dims)

        def convolve():
            with torch.no_grad():
                y = x
                for _ in range(depth):
                    y = conv(y)

        return facts, convolve

    x, y = torch.rand(*dims), torch.empty(*dims)
    once = (lambda: y.copy_(x)) if kind == "copy" else x.sum

    def passes():
        for _ in range(depth):
            once()

    return facts, passes


serve(start)
