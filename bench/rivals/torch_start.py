"""PyTorch's start for bench/start.ts: builds torchvision's network, loads its weights and classifies one image.

  python3 torch_start.py VARIANT WEIGHTS.pt IMAGE
"""

import sys

import torch
import torchvision
from PIL import Image
from torchvision import transforms

name, weights, image = sys.argv[1:4]
model = getattr(torchvision.models, name)().eval()
model.load_state_dict(torch.load(weights))
steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
prepare = transforms.Compose([*steps, transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
with torch.inference_mode():
    logits = model(prepare(Image.open(image).convert("RGB"))[None])
print("class", logits.argmax().item(), flush=True)
