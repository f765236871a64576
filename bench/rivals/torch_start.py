"""A start as PyTorch makes it, for bench/start.ts: torchvision's weights read, one picture prepared and named, then the time.

  python3 torch_start.py <net> <weights.pt> <picture>      with --make, writes random weights instead
"""
import sys

import torch
import torchvision
from PIL import Image
from torchvision import transforms

net, weights, picture = sys.argv[1:4]
model = getattr(torchvision.models, net)().eval()
if picture == "--make":
    torch.save(model.state_dict(), weights)
else:
    model.load_state_dict(torch.load(weights))
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
    prepare = transforms.Compose([*steps, transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    with torch.no_grad():
        print(int(model(prepare(Image.open(picture).convert("RGB"))[None]).argmax()), flush=True)
