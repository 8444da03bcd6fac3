"""What the PyTorch peers share: the input file, one thread, the clock and the protocol of lines (src/bench/peer-process.ts)."""
import sys
import time

import torch

torch.set_num_threads(1)
torch.set_grad_enabled(False)


class Reader:
    """A file of int32 and float32 values, in order."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = bytearray(file.read())
        self.at = 0

    def ints(self, count):
        values = torch.frombuffer(self.bytes, dtype=torch.int32, count=count, offset=self.at).tolist()
        self.at += 4 * count
        return values

    def floats(self, *shape):
        count = 1
        for size in shape:
            count *= size
        values = torch.frombuffer(self.bytes, dtype=torch.float32, count=count, offset=self.at)
        self.at += 4 * count
        return values.reshape(shape)


def serve(run, path):
    result = None
    for line in sys.stdin:
        if line.startswith("run"):
            start = time.perf_counter()
            result = run()
            print((time.perf_counter() - start) * 1e3, flush=True)
        else:
            with open(path, "wb") as file:
                file.write(result.contiguous().numpy().tobytes())
            print("saved", flush=True)
