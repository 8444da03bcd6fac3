/** Kernels of four small models as text: what a change to the scheduler does to them is read here. */
import { expect, it } from 'vitest';
import { printKernel } from '../../src/ir/print-kernel.js';
import { compileText } from '../random/agree.js';

function kernels(text: string): string {
  const { module, diagnostics } = compileText(text);
  if (!module) throw new Error(diagnostics.map((d) => d.text).join('\n'));
  return module.kernels.filter((k) => k.precision === 'f32').map(printKernel).join('\n');
}
const product = 'model P {\n axis k = 16\n axis o = 8\n input x[t, k]\n param W[o, k]\n output y[t, o] = sum(k: W[o, k] * x[t, k])\n}';

it('a matrix product: a tile of rows and columns, one step of k per round', () => {
  expect(kernels(product)).toMatchInlineSnapshot(`
    "kernel k0_y(f32 x[], f32 W#packed[], out f32 y[], $R) f32 {
      for o_0 = 0 .. 8 by 8 lanes parallel {
        int whole1 = ($R)/4*4
        for r2 = 0 .. whole1 by 4 parallel {
          var acc3 = 0
          var acc4 = 0
          var acc5 = 0
          var acc6 = 0
          var acc7 = 0
          var acc8 = 0
          var acc9 = 0
          var acc10 = 0
          for k11 = 0 .. 16 by 1 {
            let v12 = x[r2*16 + k11]
            let v13 = W#packed[o_0*16 + k11*8 ..]
            let v14 = W#packed[o_0*16 + k11*8 + 4 ..]
            let v15 = x[r2*16 + k11 + 16]
            acc3 = v12 * v13 + acc3
            acc4 = v12 * v14 + acc4
            acc5 = v15 * v13 + acc5
            acc6 = v15 * v14 + acc6
            let v16 = x[r2*16 + k11 + 32]
            let v17 = x[r2*16 + k11 + 48]
            acc7 = v16 * v13 + acc7
            acc8 = v16 * v14 + acc8
            acc9 = v17 * v13 + acc9
            acc10 = v17 * v14 + acc10
          }
          y[r2*8 + o_0 ..] = acc3
          y[r2*8 + o_0 + 4 ..] = acc4
          y[r2*8 + o_0 + 8 ..] = acc5
          y[r2*8 + o_0 + 12 ..] = acc6
          y[r2*8 + o_0 + 16 ..] = acc7
          y[r2*8 + o_0 + 20 ..] = acc8
          y[r2*8 + o_0 + 24 ..] = acc9
          y[r2*8 + o_0 + 28 ..] = acc10
        }
        for r18 = whole1 .. $R by 1 parallel {
          var acc19 = 0
          var acc20 = 0
          for k21 = 0 .. 16 by 1 {
            let v22 = x[r18*16 + k21]
            let v23 = W#packed[o_0*16 + k21*8 ..]
            let v24 = W#packed[o_0*16 + k21*8 + 4 ..]
            acc19 = v22 * v23 + acc19
            acc20 = v22 * v24 + acc20
          }
          y[r18*8 + o_0 ..] = acc19
          y[r18*8 + o_0 + 4 ..] = acc20
        }
      }
    }
    "
  `);
});
it('its weights, packed at load in the order of the loops', () => {
  const { module } = compileText(product);
  expect(JSON.stringify(module?.manifest.load)).toMatchInlineSnapshot(`"[{"kind":"pack","from":2,"to":3,"offset":0,"dimensions":[[8,16,128,8],[16,1,8,1]]}]"`);
});
it('a coupled scan: one chain, its modalities unrolled', () => {
  expect(kernels(`model S {
    modalities m = a, b
    axis d = 8
    axis n = 16
    axis i = m
    input dt[t, m, d]
    input u[t, m, d]
    input C[t, m, n]
    fact dt > 0
    param A[m, d, n]
    fact A > 0
    state h[t, m, d, n] = exp(-dt[t, m, d] * A[m, d, n]) * mean(i: h[t-1, i, d, n]) + dt[t, m, d] * u[t, m, d]
    output y[t, m, d] = sum(n: C[t, m, n] * h[t, m, d, n])
  }`)).toMatchInlineSnapshot(`
    "kernel k1_y(i32 $lengths[], f32 C[], inout f32 h#chain#state[], f32 dt[], f32 h#increment#load#packed[], f32 u[], out f32 y[], $B, $t0, $T) f32 {
      for b0 = 0 .. $B by 1 parallel {
        int len1 = $lengths[b0]
        for d_2 = 0 .. 8 by 8 lanes parallel {
          var largest0 = 0
          for k14 = 0 .. 16 by 1 {
            largest0 = max(largest0, abs(h#increment#load#packed[d_2*32 + k14*16 ..]))
          }
          var largest1 = 0
          for k14 = 0 .. 16 by 1 {
            largest1 = max(largest1, abs(h#increment#load#packed[d_2*32 + k14*16 + 4 ..]))
          }
          var largest2 = 0
          for k14 = 0 .. 16 by 1 {
            largest2 = max(largest2, abs(h#increment#load#packed[d_2*32 + k14*16 + 8 ..]))
          }
          var largest3 = 0
          for k14 = 0 .. 16 by 1 {
            largest3 = max(largest3, abs(h#increment#load#packed[d_2*32 + k14*16 + 12 ..]))
          }
          int shift3 = ($t0)%16
          int blocks4 = (len1 + shift3 + 15)/16
          for q5 = 0 .. blocks4 by 1 {
            int end6 = min(len1, q5*16 + shift3*-1 + 16)
            int start7 = max(0, q5*16 + shift3*-1)
            for t8 = start7 .. end6 by 1 {
              int row9 = b0*$T + t8
              var acc10 = 0
              var acc11 = 0
              var acc12 = 0
              var acc13 = 0
              let v17 = dt[row9*16 + d_2 ..]
              let v20 = u[row9*16 + d_2 ..]
              let v21 = v17 * v20
              let v24 = dt[row9*16 + d_2 + 4 ..]
              let v27 = u[row9*16 + d_2 + 4 ..]
              let v28 = v24 * v27
              let v31 = dt[row9*16 + d_2 + 8 ..]
              let v34 = u[row9*16 + d_2 + 8 ..]
              let v35 = v31 * v34
              let v37 = dt[row9*16 + d_2 + 12 ..]
              let v40 = u[row9*16 + d_2 + 12 ..]
              let v41 = v37 * v40
              if all(abs(v17) * largest0 <= 126 & abs(v24) * largest1 <= 126 & abs(v31) * largest2 <= 126 & abs(v37) * largest3 <= 126) {
                for k14 = 0 .. 16 by 1 {
                  let v15 = C[row9*32 + k14]
                  let v16 = h#chain#state[b0*128 + d_2*16 + k14*8 ..]
                  let v18 = h#increment#load#packed[d_2*32 + k14*16 ..]
                  let v19 = v17 * v18
                  let v22 = decay_bounded(v19, v16) + v21
                  let v23 = h#chain#state[b0*128 + d_2*16 + k14*8 + 4 ..]
                  let v25 = h#increment#load#packed[d_2*32 + k14*16 + 4 ..]
                  let v26 = v24 * v25
                  let v29 = decay_bounded(v26, v23) + v28
                  let v30 = C[row9*32 + k14 + 16]
                  let v32 = h#increment#load#packed[d_2*32 + k14*16 + 8 ..]
                  let v33 = v31 * v32
                  let v36 = decay_bounded(v33, v16) + v35
                  let v38 = h#increment#load#packed[d_2*32 + k14*16 + 12 ..]
                  let v39 = v37 * v38
                  let v42 = decay_bounded(v39, v23) + v41
                  acc10 = v15 * v22 + acc10
                  acc12 = v15 * v29 + acc12
                  acc11 = v30 * v36 + acc11
                  acc13 = v30 * v42 + acc13
                  let v43 = v22 - v16
                  let v44 = v36 - v16
                  let v45 = v43 + v44
                  let v46 = 0.5 * v45 + v16
                  let v47 = v29 - v23
                  let v48 = v42 - v23
                  let v49 = v47 + v48
                  let v50 = 0.5 * v49 + v23
                  h#chain#state[b0*128 + d_2*16 + k14*8 ..] = v46
                  h#chain#state[b0*128 + d_2*16 + k14*8 + 4 ..] = v50
                }
              } else {
                for k14 = 0 .. 16 by 1 {
                  let v15 = C[row9*32 + k14]
                  let v16 = h#chain#state[b0*128 + d_2*16 + k14*8 ..]
                  let v18 = h#increment#load#packed[d_2*32 + k14*16 ..]
                  let v19 = v17 * v18
                  let v22 = decay(v19, v16) + v21
                  let v23 = h#chain#state[b0*128 + d_2*16 + k14*8 + 4 ..]
                  let v25 = h#increment#load#packed[d_2*32 + k14*16 + 4 ..]
                  let v26 = v24 * v25
                  let v29 = decay(v26, v23) + v28
                  let v30 = C[row9*32 + k14 + 16]
                  let v32 = h#increment#load#packed[d_2*32 + k14*16 + 8 ..]
                  let v33 = v31 * v32
                  let v36 = decay(v33, v16) + v35
                  let v38 = h#increment#load#packed[d_2*32 + k14*16 + 12 ..]
                  let v39 = v37 * v38
                  let v42 = decay(v39, v23) + v41
                  acc10 = v15 * v22 + acc10
                  acc12 = v15 * v29 + acc12
                  acc11 = v30 * v36 + acc11
                  acc13 = v30 * v42 + acc13
                  let v43 = v22 - v16
                  let v44 = v36 - v16
                  let v45 = v43 + v44
                  let v46 = 0.5 * v45 + v16
                  let v47 = v29 - v23
                  let v48 = v42 - v23
                  let v49 = v47 + v48
                  let v50 = 0.5 * v49 + v23
                  h#chain#state[b0*128 + d_2*16 + k14*8 ..] = v46
                  h#chain#state[b0*128 + d_2*16 + k14*8 + 4 ..] = v50
                }
              }
              y[row9*16 + d_2 ..] = acc10
              y[row9*16 + d_2 + 8 ..] = acc11
              y[row9*16 + d_2 + 4 ..] = acc12
              y[row9*16 + d_2 + 12 ..] = acc13
            }
            if end6 == q5*16 + shift3*-1 + 16 {
              for s51 = 0 .. 128 by 4 lanes {
                let v52 = h#chain#state[b0*128 + d_2*16 + s51 ..]
                h#chain#state[b0*128 + d_2*16 + s51 ..] = abs(v52) < 7.888609052210118e-31 ? 0 : v52
              }
            }
          }
        }
      }
    }
    "
  `);
});
it('a norm: lanes along the row', () => {
  expect(kernels('model N {\n axis c = 16\n input x[t, c]\n param g[c]\n output y[t, c] = g[c] * x[t, c] * rsqrt(mean(c: x[t, c]^2) + 0.00001)\n}')).toMatchInlineSnapshot(`
    "kernel k0_y(f32 x[], f32 g#packed[], out f32 y[], $R) f32 {
      for r0 = 0 .. $R by 1 parallel {
        for c_1 = 0 .. 16 by 1 parallel {
          var acc2 = 0
          for k3 = 0 .. 16 by 4 lanes {
            let v4 = x[r0*16 + k3 ..]
            let v5 = v4 * v4
            acc2 = acc2 + v5
          }
          let v6 = sum_lanes(acc2, 4)
          let v7 = 0.0625 * v6 + 0.00001
          let v8 = rsqrt(v7)
          let v9 = g#packed[c_1]
          let v10 = x[r0*16 + c_1]
          let v11 = v9 * v10
          let v12 = v8 * v11
          y[r0*16 + c_1] = v12
        }
      }
    }
    "
  `);
});
