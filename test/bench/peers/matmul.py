"""y = x Wᵀ in PyTorch: `matmul.py INPUT RESULT`."""
import sys

import torch

from peer import Reader, serve

reader = Reader(sys.argv[1])
rows, columns, outputs = reader.ints(3)
x = reader.floats(rows, columns)
weight = reader.floats(outputs, columns)
y = torch.empty(rows, outputs)

serve(lambda: torch.mm(x, weight.t(), out=y), sys.argv[2])
