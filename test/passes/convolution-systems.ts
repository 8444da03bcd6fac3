/** Time-invariant systems of every structure, small enough to write out: what runs as a convolution. N is the state's size. */
const model = (lines: string): string => `model M {\n  modalities m = a, b, c\n  axis i = m\n  axis d = 6\n${lines}\n}\n`;
const one = (n: number, lines: string): string => model(`  axis n = ${n}\n  axis k = n\n  axis l = n\n  param log_dt[d] = uniform(-6.9, -3)\n  dt[d] = exp(log_dt[d])\n  param C[d, n] = uniform(-1, 1)\n  param D[d] = uniform(-1, 1)\n  input u[t, d]\n${lines}`);
const coupled = (n: number, coupling: string, lines = ''): string => model(`  axis n = ${n}\n  param A_log[m, d, n] = log(n + 1)\n  param dt[m, d] = loguniform(0.001, 0.1)\n  param B[m, d, n] = uniform(-1, 1)\n  param C[m, d, n] = uniform(-1, 1)\n${lines}  input u[t, m, d]
  state h[t, m, d, n] = exp(-dt[m, d] * exp(A_log[m, d, n])) * ${coupling} + dt[m, d] * B[m, d, n] * u[t, m, d]
  output y[t, m, d] = sum(n: C[m, d, n] * h[t, m, d, n])`);
const readout = '  output y[t, d] = sum(n: C[d, n] * h[t, d, n]) + D[d] * u[t, d]';
/** HiPPO-LegS: lower triangular, far from normal. */
const legS = '  A[n, k] = where(n < k, 0, where(n == k, -(n + 1), -sqrt((2 * n + 1) * (2 * k + 1))))\n  b[n] = sqrt(2 * n + 1)\n';

export const systems: Readonly<Record<string, (n: number) => string>> = {
  'real diagonal': (n) => one(n, `  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n${readout}`),
  'complex diagonal, of each pair one': (n) => one(n, `  param E[d, n] = uniform(-1, 1)\n  L[n] = complex(-0.5, 3.14159265 * n)\n  P[d, n] = exp(dt[d] * L[n])\n  Q[d, n] = (P[d, n] - 1) / L[n]
  state h[t, d, n] = P[d, n] * h[t-1, d, n] + Q[d, n] * u[t, d]\n  output y[t, d] = 2 * re(sum(n: complex(C[d, n], E[d, n]) * h[t, d, n])) + D[d] * u[t, d]`),
  'dense, LegS by the bilinear rule': (n) => one(n, `${legS}  M[d, n, k] = where(n == k, 1, 0) - dt[d] / 2 * A[n, k]\n  Mi[d, n, k] = inverse(n, k: M[d, n, k])
  Ab[d, n, k] = sum(l: Mi[d, n, l] * (where(l == k, 1, 0) + dt[d] / 2 * A[l, k]))\n  Bb[d, n] = sum(k: Mi[d, n, k] * dt[d] * b[k])
  state h[t, d, n] = sum(k: Ab[d, n, k] * h[t-1, d, k]) + Bb[d, n] * u[t, d]\n${readout}`),
  'diagonal plus low rank': (n) => one(n, `  param p[n] = uniform(-0.2, 0.2)\n  param B[d, n] = uniform(-1, 1)
  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] - dt[d] * p[n] * sum(k: p[k] * h[t-1, d, k]) + dt[d] * B[d, n] * u[t, d]\n${readout}`),
  'chains coupled by their mean': (n) => coupled(n, 'mean(i: h[t-1, i, d, n])'),
  'chains coupled by a scaled sum': (n) => coupled(n, '0.3 * sum(i: h[t-1, i, d, n])'),
  'chains coupled in full': (n) => coupled(n, 'sum(i: K[m, i] * h[t-1, i, d, n])', '  param K[m, i] = uniform(0.1, 0.3)\n'),
  'chains coupled by rank two': (n) => coupled(n, 'sum(r: U[m, r] * sum(i: V[i, r] * h[t-1, i, d, n]))', '  axis r = 2\n  param U[m, r] = uniform(0.1, 0.4)\n  param V[m, r] = uniform(0.1, 0.4)\n'),
};
/** What else a stage may have around its recurrence. */
export const others: Readonly<Record<string, string>> = {
  'gated, with a residual': one(4, '  input z[t, d]\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n  y[t, d] = silu(sum(n: C[d, n] * h[t, d, n]) + D[d] * u[t, d] + z[t, d]) * silu(z[t, d])\n  output out[t, d] = y[t, d] + z[t, d]'),
  'gated by other steps, of a signal made of others': one(4, '  input z[t, d]\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * silu(u[t-2, d]) * gelu(z[t, d])\n  y[t, d] = gelu(sum(n: C[d, n] * h[t, d, n]) + D[d] * u[t-1, d]) * silu(z[t-1, d])\n  output out[t, d] = y[t, d]'),
  'the product of two readouts': one(4, '  param E[d, n] = uniform(-1, 1)\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n  output y[t, d] = sum(n: C[d, n] * h[t, d, n]) * tanh(sum(n: E[d, n] * h[t, d, n]))'),
  'chains that meet in what is stored': coupled(4, 'mean(i: h[t-1, i, d, n])').replace(/ {2}output y.*/, '  r[t, m, d] = sum(n: C[m, d, n] * h[t, m, d, n])\n  output y[t, d] = sum(m: silu(r[t, m, d]) * u[t, m, d])\n  output z[t, m, d] = tanh(r[t, m, d]) + u[t, m, d]'),
  'one of the chains, and all of them': coupled(4, 'mean(i: h[t-1, i, d, n])').replace(/ {2}output y.*/, '  r[t, m, d] = sum(n: C[m, d, n] * h[t, m, d, n])\n  output y[t, d] = tanh(r[t, m.b, d])\n  output z[t, m, d] = silu(r[t, m, d])'),
  'answers along another axis': one(4, '  axis o = 11\n  input z[t, o]\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n  y[t, d] = sum(n: C[d, n] * h[t, d, n])\n  output out[t, d, o] = silu(y[t, d] + z[t, o])'),
  'a signal that is a sum over channels': one(4, '  param W[d, k] = uniform(-1, 1)\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * tanh(sum(k: W[d, k] * u[t, k]))\n  output y[t, d] = silu(sum(n: C[d, n] * h[t, d, n]))').replace('axis k = n', 'axis k = d'),
  'driven by two steps': one(4, '  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] / 2 * (u[t, d] + u[t-1, d])\n  output y[t, d] = sum(n: C[d, n] * h[t, d, n])'),
  'driven by a function and a constant': one(4, '  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + C[d, n] * tanh(u[t, d]) + 0.01 * D[d]\n  output y[t, d] = sum(n: C[d, n] * h[t, d, n])'),
  'a signal that all channels share': model('  axis n = 4\n  input x[t]\n  state h[t, d, n] = 0.9 * h[t-1, d, n] + (n + 1) * (d + 1) * x[t]\n  output y[t, d] = sum(n: h[t, d, n])'),
  backward: one(4, `  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t+1, d, n] + dt[d] * u[t, d]\n${readout}`),
  'backward, of second order, gated by other steps': model('  input x[t, d]\n  state g[t, d] = 1.6 * g[t+1, d] - 0.7 * g[t+2, d] + x[t, d] - 0.3 * x[t+1, d]\n  output y[t, d] = silu(g[t, d] + x[t-1, d]) * x[t+2, d]'),
  'in both directions': one(4, '  param E[d, n] = uniform(-1, 1)\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n  state g[t, d, n] = exp(-dt[d] * (n + 2)) * g[t+1, d, n] + dt[d] * u[t, d]\n  y[t, d] = sum(n: C[d, n] * h[t, d, n]) + sum(n: E[d, n] * g[t+1, d, n]) + D[d] * u[t, d]\n  output out[t, d] = gelu(y[t, d]) * silu(u[t, d])'),
  'chains coupled backward': coupled(4, 'mean(i: h[t+1, i, d, n])'),
  'driven by the next step': one(4, `  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t+1, d]\n${readout}`),
  'driven by what differs from the mean over time': one(4, '  centre[d] = mean(t: u[t, d])\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * (u[t, d] - centre[d])\n  output y[t, d] = sum(n: C[d, n] * h[t, d, n])'),
  'from a state': one(4, `  param h0[d, n] = uniform(-3, 3)\n  initial h[d, n] = h0[d, n]\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n${readout}`),
  'backward from a state, of second order, gated': model('  param last[d] = uniform(-1, 1)\n  input x[t, d]\n  initial g[d] = 2 * last[d]\n  state g[t, d] = 1.6 * g[t+1, d] - 0.7 * g[t+2, d] + x[t, d]\n  output y[t, d] = silu(g[t, d]) * x[t, d]'),
  'complex, from a state': one(4, '  param h0[d, n] = uniform(-1, 1)\n  P[d, n] = exp(dt[d] * complex(-0.5, 3 * n))\n  initial h[d, n] = complex(h0[d, n], 0.5)\n  state h[t, d, n] = P[d, n] * h[t-1, d, n] + dt[d] * u[t, d]\n  output y[t, d] = 2 * re(sum(n: C[d, n] * h[t, d, n])) + D[d] * u[t, d]'),
  'chains from states, coupled': coupled(4, 'sum(i: K[m, i] * h[t-1, i, d, n])', '  param K[m, i] = uniform(0.1, 0.3)\n').replace('  state h', '  initial h[m, d, n] = C[m, d, n]\n  state h'),
  'a signal by name, which is read out and gates': one(4, '  s[t, d] = silu(u[t, d])\n  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * s[t, d]\n  output y[t, d] = gelu(sum(n: C[d, n] * h[t, d, n]) + D[d] * s[t, d]) * s[t, d]'),
  'a signal by name, a function of another': one(4, '  input k[d]\n  r[t, d] = u[t, d] + 0.5 * k[d]\n  s[t, d] = r[t, d] / (1.5 + cos(r[t, d]))\n  state h[t, d, n] = 0.5 * exp(-n) * h[t-1, d, n] + C[d, n] * s[t, d]\n  output y[t, d] = tanh(sum(n: C[d, n] * h[t, d, n]))'),
  'driven by what differs from half the mean over time': model('  input x[t, d]\n  v[t, d] = x[t, d] - 0.5 * mean(t: x[t, d])\n  state g[t, d] = 0.43 * g[t-1, d] + v[t, d]\n  output y[t, d] = g[t, d]'),
  'second order': model('  input x[t, d]\n  state g[t, d] = 1.6 * g[t-1, d] - 0.7 * g[t-2, d] + x[t, d]\n  output y[t, d] = g[t, d]'),
  mutual: model('  input x[t, d]\n  state g[t, d] = 0.9 * g[t-1, d] + 0.2 * f[t-1, d] + x[t, d]\n  state f[t, d] = 0.8 * f[t-1, d] - 0.3 * g[t, d]\n  output y[t, d] = g[t, d] + f[t, d]\n  output w[t, d] = exp(-f[t, d] * f[t, d])'),
  'channels that are not the last index of its answers': 'model M {\n  axis g = 3\n  axis c = 2\n  axis k = c\n  input x[t, g, c]\n  param w[g, c, k] = uniform(-0.45, 0.45)\n  state h[t, g, c] = sum(k: w[g, c, k] * h[t-1, g, k]) + x[t, g, c]\n  output y[t, g, c] = h[t, g, c] / 40\n}',
  'one channel': model('  axis n = 5\n  input x[t]\n  state h[t, n] = (0.9 - 0.1 * n) * h[t-1, n] + x[t]\n  output y[t] = sum(n: h[t, n])'),
  'its own last answer, read by another': one(4, '  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n  y[t, d] = sum(n: C[d, n] * h[t, d, n])\n  output out[t, d] = sum(k in d: y[t-1, k]) + y[t, d]'),
  'two in a row': one(4, '  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n  y[t, d] = sum(n: C[d, n] * h[t, d, n])\n  z[t, d] = silu(y[t, d]) + sum(k in d: y[t, k])\n  state g[t, d, n] = 0.9 * g[t-1, d, n] + C[d, n] * z[t, d]\n  output out[t, d] = sum(n: g[t, d, n])'),
  'a sum over time of its answers': one(4, '  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]\n  y[t, d] = sum(n: C[d, n] * h[t, d, n])\n  output out[d] = sum(t: y[t, d] * y[t, d])'),
};
/** A layer: products before and after, whose results are activations that can be stored in two bytes. */
export const layer = `model M {
  axis e = 10
  axis d = 6
  axis n = 8
  input x[t, e]
  param V[d, e] = uniform(-1, 1)
  param W[e, d] = uniform(-1, 1)
  param log_dt[d] = uniform(-4, -1)
  param C[d, n] = uniform(-1, 1)
  param D[d] = uniform(-1, 1)
  u[t, d] = gelu(sum(e: V[d, e] * x[t, e]))
  z[t, d] = silu(sum(e: W[e, d] * x[t, e]))
  dt[d] = exp(log_dt[d])
  state h[t, d, n] = exp(-dt[d] * (n + 1)) * h[t-1, d, n] + dt[d] * u[t, d]
  y[t, d] = gelu(sum(n: C[d, n] * h[t, d, n]) + D[d] * u[t, d]) * z[t, d]
  output out[t, e] = x[t, e] + sum(d: W[e, d] * y[t, d])
}`;
