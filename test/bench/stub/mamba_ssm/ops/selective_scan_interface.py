"""Stands for mamba_ssm where it isn't: a plain loop that takes what selective_scan_fn takes, and nothing else, so that its caller can be tested."""
import torch


def selective_scan_fn(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, return_last_state=False):
    batch, channels, steps = u.shape
    states = A.shape[1]
    assert delta.shape == u.shape and A.shape == (channels, states) and B.shape == C.shape == (batch, states, steps)
    assert all(x.is_contiguous() for x in (u, delta, A, B, C))
    assert D is None and z is None and delta_bias is None and not delta_softplus and not return_last_state
    h = torch.zeros(batch, channels, states, dtype=torch.float64)
    y = torch.empty(batch, channels, steps)
    for t in range(steps):
        dt = delta[:, :, t, None].double()
        h = torch.exp(dt * A.double()) * h + dt * u[:, :, t, None].double() * B[:, None, :, t].double()
        y[:, :, t] = (h * C[:, None, :, t].double()).sum(2).float()
    return y
