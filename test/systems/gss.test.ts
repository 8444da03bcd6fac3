import { gss } from './definitions.js';
import { gssWeights } from './trained.js';
import { alone, checkSystem, single } from './system.js';

checkSystem({ invariant: true, name: 'GSS', text: (n) => alone('GSS', `GSS(x, state = ${n}, inner = 2, gate = 6)`, 4), weights: gssWeights, define: single((w, x, n) => gss(w, 'block', x, n, 2, 6)) });
