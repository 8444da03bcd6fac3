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


def serve(run, path, before=None):
    """`before`: what the process had before its data; for the order "memory", bytes above it at most."""
    result = None
    for line in sys.stdin:
        if line.startswith("memory"):
            peak = resident("VmHWM")
            print("unknown" if before is None or peak is None else peak - before, flush=True)
            continue
        if line.startswith("run"):
            start = clock()
            result = run()
            print((clock() - start) * 1e3, flush=True)
        else:
            with open(path, "wb") as file:
                file.write(result.contiguous().numpy().tobytes())
            print("saved", flush=True)
