/** States shared out among the lanes of a point: every way that a state can be read, kept, begun and given out. */
const head = (d: number, n: number): string => `  axis d = ${d}\n  axis n = ${n}\n  input x[t, d]\n  input b[t, n]\n  param a[d, n] = uniform(0.1, 0.9)\n`;
const plain = 'state h[t, d, n] = a[d, n] * h[t-1, d, n] + b[t, n] * x[t, d]';
/** What each is about, and its body. `n`: states of most of them. */
export const sharedStates = (n: number): readonly (readonly [name: string, body: string])[] => [
  ['runs of four', `${head(5, n)}  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['no runs of four', `${head(5, 12)}  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['all lanes of a warp', `${head(3, 128)}  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['more points than a group has', `${head(37, 64)}  ${plain}\n  output y[t, d] = mean(n: h[t, d, n])\n`],
  // Too many for loops that are unrolled, in however many threads: nothing is shared out.
  ['three hundred states', `${head(3, 300)}  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['a maximum over the states', `${head(5, n)}  ${plain}\n  output y[t, d] = max(n: h[t, d, n]) + min(n: h[t, d, n])\n`],
  // Points of their own then: there is nothing to share out.
  ['the states given out', `${head(5, n)}  ${plain}\n  output y[t, d, n] = h[t, d, n] * h[t, d, n]\n`],
  ['an initial value', `${head(5, n)}  param g[d, n] = uniform(-1, 1)\n  initial h[d, n] = g[d, n]\n  ${plain}\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['two steps back', `${head(5, n)}  state h[t, d, n] = a[d, n] * h[t-1, d, n] - 0.2 * h[t-2, d, n] + b[t, n] * x[t, d]\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['backward', `${head(5, n)}  state h[t, d, n] = a[d, n] * h[t+1, d, n] + b[t, n] * x[t, d]\n  output y[t, d] = sum(n: h[t, d, n])\n`],
  ['two states', `${head(5, n)}  ${plain}\n  state g[t, d, n] = 0.3 * h[t-1, d, n] + 0.5 * g[t-1, d, n] + x[t, d]\n  output y[t, d] = sum(n: g[t, d, n] - h[t, d, n])\n`],
  ['the member\'s number', `${head(5, n)}  ${plain}\n  output y[t, d] = sum(n: (n + 1) * h[t, d, n])\n`],
  ['a part of a longer row', `  axis d = 5\n  axis n = ${n}\n  axis w = ${2 * n + 9}\n  input x[t, d]\n  input r[t, w]\n  state h[t, d, n] = 0.7 * h[t-1, d, n] + r[t, n + 7] * x[t, d]\n  output y[t, d] = sum(n: r[t, n + ${n + 8}] * h[t, d, n])\n`],
  ['coupled chains', '  modalities m = one, two, three\n  axis i = m\n  axis d = 6\n  axis n = 64\n  input x[t, m, d]\n  input b[t, m, n]\n  param A[m, d, n] = uniform(0.1, 2)\n  input dt[t, m, d]\n  state h[t, m, d, n] = exp(-abs(dt[t, m, d]) * A[m, d, n]) * mean(i: h[t-1, i, d, n]) + b[t, m, n] * x[t, m, d]\n  output y[t, m, d] = sum(n: h[t, m, d, n])\n'],
  ['reduced over time', `${head(5, n)}  ${plain}\n  y[t, d] = sum(n: h[t, d, n])\n  output z[d] = max(t: y[t, d])\n`],
];
