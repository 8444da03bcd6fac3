"""The mean-coupled selective scan in PyTorch: `scan.py KIND[@DEVICE] INPUT RESULT`; `mamba` is mamba_ssm's own kernel."""
import sys

import torch

from peer import Reader, serve

kind, source, target = sys.argv[1:]
kind, _, device = kind.partition("@")
device = device or "cpu"
reader = Reader(source)
L, D, N, M = reader.ints(4)
dt = reader.floats(L, M, D).to(device)
u = reader.floats(L, M, D).to(device)
B = reader.floats(L, M, N).to(device)
C = reader.floats(L, M, N).to(device)
A = reader.floats(M, D, N).to(device)


def materialised(dt, u, B, C, A):
    """Decays and drives of all steps at once, as the reference of Mamba has them: [batch, channels, time, states]."""
    decay = torch.exp(torch.einsum("bdl,dn->bdln", dt, A))
    drive = torch.einsum("bdl,bnl,bdl->bdln", dt, B, u)
    return decay, drive


def channels_first(x):
    """[L, M, k] -> M tensors [1, k, L], made outside the clock."""
    return [x[:, m].t().contiguous().unsqueeze(0) for m in range(M)]


def reference():
    """Each modality alone. Layouts as Mamba's reference takes them."""
    outputs = []
    for m in range(M):
        decay, drive = materialised(dts[m], us[m], Bs[m], Cs[m], A[m])
        h = torch.zeros(1, D, N)
        ys = []
        for t in range(L):
            h = decay[:, :, t] * h + drive[:, :, t]
            ys.append(torch.einsum("bdn,bn->bd", h, Cs[m][:, :, t]))
        outputs.append(torch.stack(ys, dim=2))
    return outputs


def coupled_reference():
    pairs = [materialised(dts[m], us[m], Bs[m], Cs[m], A[m]) for m in range(M)]
    h = [torch.zeros(1, D, N) for _ in range(M)]
    ys = [[] for _ in range(M)]
    for t in range(L):
        mean = torch.stack(h).mean(0)
        for m, (decay, drive) in enumerate(pairs):
            h[m] = decay[:, :, t] * mean + drive[:, :, t]
            ys[m].append(torch.einsum("bdn,bn->bd", h[m], Cs[m][:, :, t]))
    return [torch.stack(y, dim=2) for y in ys]


def loop():
    """Modalities stacked, exponentials per step, every result into memory that is there already."""
    mean = torch.zeros(D, N, device=device)
    decay, drive, h = (torch.empty(M, D, N, device=device) for _ in range(3))
    y = torch.empty(L, M, D, 1, device=device)
    du = dt * u
    steps = zip(dt.unsqueeze(3).unbind(0), du.unsqueeze(3).unbind(0), B.unsqueeze(2).unbind(0), C.unsqueeze(3).unbind(0), y.unbind(0))
    for dt_t, du_t, B_t, C_t, y_t in steps:
        torch.mul(dt_t, A, out=decay).exp_()
        torch.mul(du_t, B_t, out=drive)
        torch.addcmul(drive, decay, mean, out=h)
        torch.bmm(h, C_t, out=y_t)
        if M == 1:
            mean, h = h[0], mean.unsqueeze(0)
        else:
            torch.mean(h, 0, out=mean)
    return y.squeeze(3)


def mamba():
    """A call of mamba_ssm's kernel for each modality, which are not coupled."""
    return [selective_scan_fn(us[m], dts[m], A[m], Bs[m], Cs[m]) for m in range(M)]


def steps_first(result):
    return result if torch.is_tensor(result) else torch.stack([y[0].t() for y in result], dim=1)


if kind != "loop":
    dts, us, Bs, Cs = (channels_first(x) for x in (dt, u, B, C))
if kind == "mamba":
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
runs = {"reference": reference, "coupled-reference": coupled_reference, "loop": loop, "mamba": mamba}
last = None


class Lazy:
    """Rearranges only when the result is asked for."""

    def __init__(self, result):
        self.result = result

    def contiguous(self):
        return steps_first(self.result).contiguous()


serve(lambda: Lazy(runs[kind]()), target, device=device)
