"""What the PyTorch peers share: the input file, one thread, the clock and the protocol of lines (src/bench/peer-process.ts)."""
import os
import sys
import time

import torch

# The clock that everyone is measured by (src/bench/clock.ts).
clock = time.process_time if os.environ.get("SSMC_BENCH_CLOCK") == "processor" else time.perf_counter
torch.set_num_threads(1)
torch.set_grad_enabled(False)


class Reader:
    """A file of int32 and float32 values, in order."""

    def __init__(self, path):
        self.bytes = bytearray(os.path.getsize(path))
        with open(path, "rb") as file:
            file.readinto(self.bytes)
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


def resident(field):
    """Bytes of this process in memory: VmRSS now, VmHWM at most. None where the system doesn't say."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))
    except (OSError, StopIteration):
        return None


def begin_peak():
    """The peak from here on; what the process has already."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass
    return resident("VmRSS")


def timed(run, device):
    """The result, and milliseconds: of a GPU between events of its own, with what Python takes between them."""
    if device != "cuda":
        start = clock()
        return run(), (clock() - start) * 1e3
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    result = run()
    ended.record()
    ended.synchronize()
    return result, began.elapsed_time(ended)


def serve(run, path, before=None, device="cpu"):
    """`before`: what the process had before its data; for the order "memory", bytes above it at most."""
    result = None
    for line in sys.stdin:
        if line.startswith("memory"):
            peak = resident("VmHWM")
            print("unknown" if before is None or peak is None else peak - before, flush=True)
            continue
        if line.startswith("run"):
            result, ms = timed(run, device)
            print(ms, flush=True)
        else:
            with open(path, "wb") as file:
                file.write(result.contiguous().cpu().numpy().tobytes())
            print("saved", flush=True)
