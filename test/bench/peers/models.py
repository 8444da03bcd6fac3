"""
Multimodal models in PyTorch: `models.py coupled|attention INPUT RESULT`. The coupled model is the one that our spec says; the other has
cross attention between the modalities in place of the coupled block: each modality asks, the other two's steps answer, four heads, and
an output projection. Embedding, norms, pooling, fusion and head are the same.
"""
import sys

import torch
import torch.nn.functional as F

from peer import Reader, begin_peak, serve

before = begin_peak()
kind, source, target = sys.argv[1:]
reader = Reader(source)
batch, steps, M, width, layers, state, rank, hidden, out, standardised, normed = reader.ints(11)
features = reader.ints(M)
inner, kernel, heads = 2 * width, 4, 4


def stacked(*shape):
    """A tensor of each modality, stacked."""
    return torch.stack([reader.floats(*shape) for _ in range(M)])


inputs = [reader.floats(batch, steps, f) for f in features]
w = {}
if standardised:
    w["mean"] = [reader.floats(f) for f in features]
    w["rstd"] = [reader.floats(f) for f in features]
w["embed"] = [reader.floats(width, f) for f in features]
w["embed_bias"] = [reader.floats(width) for _ in features]
w["layers"] = []
for _ in range(layers):
    p = {"norm": stacked(width), "norm_bias": stacked(width)}
    if kind == "coupled":
        p["in_proj"] = stacked(2 * inner, width).transpose(1, 2).contiguous()
        p["conv"] = stacked(inner, kernel)
        p["conv_bias"] = stacked(inner)
        p["x_proj"] = stacked(rank + 2 * state, inner).transpose(1, 2).contiguous()
        p["dt_proj"] = stacked(inner, rank).transpose(1, 2).contiguous()
        p["dt_bias"] = stacked(inner)
        p["A"] = -torch.exp(stacked(inner, state))
        p["D"] = stacked(inner)
        p["out_proj"] = stacked(width, inner).transpose(1, 2).contiguous()
    else:
        for name in ("query", "key", "value", "out"):
            p[name] = stacked(width, width)
    w["layers"].append(p)
if normed:
    w["norm_f"] = stacked(width)
    w["norm_f_bias"] = stacked(width)
w["fusion"] = reader.floats(M)
w["head0"], w["head0_bias"] = reader.floats(hidden, width), reader.floats(hidden)
w["head2"], w["head2_bias"] = reader.floats(out, hidden), reader.floats(out)

def layer_norm(x, weight, bias):
    """x: [M, batch, steps, width]."""
    return torch.stack([F.layer_norm(x[m], (width,), weight[m], bias[m]) for m in range(M)])


def projected(x, weight, bias=None):
    """A product of each modality's own: [M, batch, steps, a] by [M, a, b]."""
    rows = x.reshape(M, batch * steps, -1)
    y = torch.bmm(rows, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), rows, weight)
    return y.view(M, batch, steps, -1)


def coupled(x, p):
    v, z = projected(x, p["in_proj"]).split(inner, dim=3)
    u = p["conv_bias"].view(M, 1, 1, inner).expand(M, batch, steps, inner).clone()
    for k in range(kernel):
        back = kernel - 1 - k
        if back < steps:
            u[:, :, back:].addcmul_(v[:, :, : steps - back], p["conv"][:, :, k].view(M, 1, 1, inner))
    u = F.silu(u)
    low, B, C = projected(u, p["x_proj"]).split((rank, state, state), dim=3)
    dt = F.softplus(projected(low, p["dt_proj"], p["dt_bias"]))
    y = scan(dt, u, B, C, p["A"]).addcmul_(u, p["D"].view(M, 1, 1, inner))
    return projected(y * F.silu(z), p["out_proj"])


def scan(dt, u, B, C, A):
    """Modalities and batch stacked, exponentials per step, every result into memory that is there already."""
    mean = torch.zeros(1, batch, inner, state, dtype=dt.dtype)
    decay, drive, h = (torch.empty(M, batch, inner, state, dtype=dt.dtype) for _ in range(3))
    y = torch.empty(steps, M * batch, inner, 1, dtype=dt.dtype)
    by_step = lambda x: x.permute(2, 0, 1, 3).contiguous()
    dt, u, B, C = by_step(dt), by_step(u), by_step(B), by_step(C)
    du = dt * u
    A = A.unsqueeze(1)
    slices = zip(dt.unsqueeze(4).unbind(0), du.unsqueeze(4).unbind(0), B.unsqueeze(3).unbind(0), C.reshape(steps, M * batch, state, 1).unbind(0), y.unbind(0))
    for dt_t, du_t, B_t, C_t, y_t in slices:
        torch.mul(dt_t, A, out=decay).exp_()
        torch.mul(du_t, B_t, out=drive)
        torch.addcmul(drive, decay, mean, out=h)
        torch.bmm(h.view(M * batch, inner, state), C_t, out=y_t)
        torch.mean(h, 0, keepdim=True, out=mean)
    return y.view(steps, M, batch, inner).permute(1, 2, 0, 3).contiguous()


def attention(x, p):
    split = lambda y: y.view(batch, -1, heads, width // heads).transpose(1, 2)
    query, key, value = (projected(x, p[name]) for name in ("query", "key", "value"))
    answers = []
    for m in range(M):
        others = [i for i in range(M) if i != m]
        q = split(query[m])
        k = split(torch.cat([key[i] for i in others], dim=1))
        v = split(torch.cat([value[i] for i in others], dim=1))
        scores = torch.matmul(q * (width // heads) ** -0.5, k.transpose(2, 3))
        weights = torch.softmax(scores, dim=-1)
        del scores
        answers.append(torch.matmul(weights, v).transpose(1, 2).reshape(batch, steps, width))
    return projected(torch.stack(answers), p["out"])


def model(inputs, w):
    if standardised:
        inputs = [(x - mean) * rstd for x, mean, rstd in zip(inputs, w["mean"], w["rstd"])]
    x = torch.stack([F.linear(x, weight, bias) for x, weight, bias in zip(inputs, w["embed"], w["embed_bias"])])
    for p in w["layers"]:
        v = layer_norm(x, p["norm"], p["norm_bias"])
        x = x + (coupled(v, p) if kind == "coupled" else attention(v, p))
    if normed:
        x = layer_norm(x, w["norm_f"], w["norm_f_bias"])
    pooled = x.amax(2)
    fused = torch.einsum("m,mbc->bc", torch.softmax(w["fusion"], 0), pooled)
    return F.linear(torch.relu(F.linear(fused, w["head0"], w["head0_bias"])), w["head2"], w["head2_bias"])


serve(lambda: model(inputs, w), target, before)
