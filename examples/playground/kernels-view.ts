/** The Kernels tab: each stage's equations beside the kernel that they became. */
import { byId, element } from './dom.js';
import type { Built } from './protocol.js';

export function showKernels({ stages, webgpu, wasm }: Built): void {
  byId('kernels-about').textContent = `${stages.length} stages. Left, the equations that one computes; right, its kernel${webgpu ? ' in WGSL, as WebGPU runs it' : ', before it becomes WebAssembly'}. The WebAssembly of the whole model is ${wasm.length} bytes.`;
  byId('kernels').replaceChildren(...stages.map((s) => element('details', {},
    element('summary', {}, element('code', {}, s.name), ` ${s.anchor} over ${s.domain}${s.about === '' ? '' : `: ${s.about}`}`),
    element('div', { class: 'beside' },
      element('div', { class: 'scroll wrap', tabindex: 0, role: 'region', 'aria-label': `Equations of ${s.name}` }, s.equations.join('\n\n')),
      element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Kernel of ${s.name}` }, s.wgsl ?? s.kernel),
    ),
  )));
}
