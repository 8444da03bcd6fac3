/**
 * The module that a compiled model is imported by: typed by the spec's names, thin around the runtime. Names of the spec are data in
 * it, never code: property keys are quoted, identifiers made from letters, comments escaped. Deterministic.
 */
import { IndentationText, Project, QuoteKind, Scope, ScriptTarget, ModuleKind, type SourceFile } from 'ts-morph';
import type { Manifest, TensorSpec } from '../runtime/manifest.js';
import { pack } from './pack.js';

export interface GenerateOptions {
  /** File names of the WebAssembly modules, beside the generated one. */
  readonly wasm: string;
  readonly relaxed?: string;
  /** File names of what WebGPU is given, where the model was compiled for it. */
  readonly webgpu?: { readonly plan: string; readonly wgsl: string; readonly variants?: readonly { readonly features: readonly string[]; readonly wgsl: string }[] };
  /** File name of the plan that CUDA is given, which names the others. */
  readonly cuda?: { readonly plan: string };
  /** TypeScript instead of JavaScript and its declarations. */
  readonly typescript?: boolean;
}

/** File name → text. The base name is the model's in lower case. */
export function generateModule(manifest: Manifest, options: GenerateOptions): Map<string, string> {
  const project = new Project({
    useInMemoryFileSystem: true, skipLoadingLibFiles: true,
    compilerOptions: { target: ScriptTarget.ES2022, module: ModuleKind.ES2022, declaration: true, strict: true },
    manipulationSettings: { indentationText: IndentationText.TwoSpaces, quoteKind: QuoteKind.Double },
  });
  const name = className(manifest.model);
  const base = fileBase(manifest.model);
  const file = project.createSourceFile(`${base}.ts`);
  write(file, manifest, name, options);
  const banner = `// Made by ssmc ${manifest.compiler} from a spec with SHA-256 ${manifest.spec}. Changes here are lost.\n`;
  if (options.typescript) return new Map([[`${base}.ts`, banner + file.getFullText()]]);
  const out = new Map<string, string>();
  for (const f of project.emitToMemory().getFiles()) out.set(f.filePath.replace(/^\//, ''), banner + f.text);
  return out;
}
export const fileBase = (model: string): string => className(model).toLowerCase();
/** An identifier, whatever the name: letters, digits and _, no reserved word. */
export function className(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
  return plain === '' || reserved.has(plain) ? `${plain}_` : plain;
}
/** Words of JavaScript and TypeScript that name no class, and what the module uses itself. */
const reserved = new Set(`
  Disposing Model Stream Tensor TensorInput LoadOptions RunOptions Manifest loadModel unpack manifest dispose Object Symbol Promise URL Uint8Array Omit Float32Array undefined null
  arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements
  import in instanceof interface let new package private protected public return static super switch this throw true try typeof var void while with yield
  any bigint boolean never number object string symbol unknown`.trim().split(/\s+/));

/** `import.meta.url` in JavaScript, as bundlers look for it; typed where no library knows of it. */
const HERE = '(import.meta as unknown as { readonly url: string }).url';

function write(file: SourceFile, manifest: Manifest, name: string, options: GenerateOptions): void {
  file.addImportDeclaration({ moduleSpecifier: 'ssmc/runtime', namedImports: ['loadModel', 'unpack'] });
  file.addImportDeclaration({ moduleSpecifier: 'ssmc/runtime', isTypeOnly: true, namedImports: ['Disposing', 'LoadOptions', 'Manifest', 'Model', 'RunOptions', 'Stream', 'Tensor', 'TensorInput'] });
  file.addInterface({ name: `${name}Inputs`, isExported: true, docs: doc(`What ${manifest.model} takes: float32, row-major; or the elements alone, for a batch of 1.`), properties: properties(manifest.inputs, 'TensorInput') });
  file.addInterface({ name: `${name}Outputs`, isExported: true, docs: doc(`What ${manifest.model} gives.`), properties: properties(manifest.outputs, 'Tensor') });
  file.addVariableStatement({ declarationKind: 'const' as never, declarations: [{ name: 'manifest', initializer: manifestCode(manifest) }] });
  if (options.typescript) file.addStatements('declare const URL: new (path: string, base: string) => { readonly href: string };');
  const cls = file.addClass({ name, isExported: true, docs: doc(manifest.model) });
  cls.addProperty({ name: '#model', type: 'Model', isReadonly: true });
  cls.addConstructor({ scope: Scope.Private, parameters: [{ name: 'model', type: 'Model' }], statements: 'this.#model = model;' });
  const at = (file: string): string => `new URL(${JSON.stringify(`./${file}`)}, ${HERE})`;
  const { cuda, webgpu } = options;
  const variants = webgpu?.variants?.length ? `, variants: [${webgpu.variants.map((v) => `{ features: ${JSON.stringify(v.features)}, wgsl: ${at(v.wgsl)} }`).join(', ')}]` : '';
  // Fetched only where it is tried, the preferred one first.
  const device = (name: string, source: string): string => `{ name: "${name}", load: async (...given) => (await import("ssmc/runtime/${name}")).${name}({ ${source} }).load(...given) }`;
  const devices = [
    // By name and place: a bundler has no business with these files.
    ...(cuda ? [device('cuda', `plan: ${JSON.stringify(`./${cuda.plan}`)}, base: ${HERE}`)] : []),
    ...(webgpu ? [device('webgpu', `plan: ${at(webgpu.plan)}, wgsl: ${at(webgpu.wgsl)}${variants}`)] : []),
  ];
  const modules = [
    `wasm: ${at(options.wasm)}`, ...(options.relaxed === undefined ? [] : [`relaxed: ${at(options.relaxed)}`]),
    ...(devices.length > 0 ? [`devices: [${devices.join(', ')}]`] : []),
  ];
  cls.addMethod({
    name: 'load', isStatic: true, isAsync: true, parameters: [{ name: 'options', type: 'LoadOptions', initializer: '{}' }], returnType: `Promise<${name}>`,
    docs: doc('Loads the kernels and binds the weights. Throws a WeightsError or LoadError.'),
    statements: `return new ${name}(await loadModel(manifest, { ${modules.join(', ')} }, options));`,
  });
  cls.addGetAccessor({ name: 'device', returnType: 'Model["device"]', docs: doc('Where it runs, and why not elsewhere.'), statements: 'return this.#model.device;' });
  cls.addMethod({
    name: 'run', isAsync: true, parameters: [{ name: 'inputs', type: `${name}Inputs` }, { name: 'options', type: 'RunOptions', hasQuestionToken: true }], returnType: `Promise<${name}Outputs>`,
    docs: doc('Runs whole sequences. Throws an InputError; the model stays usable.'),
    statements: `return (await this.#model.run(inputs as never, options)) as unknown as ${name}Outputs;`,
  });
  cls.addMethod({
    name: 'stream', parameters: [{ name: 'options', type: '{ readonly batch?: number }', hasQuestionToken: true }], returnType: `${name}Stream`,
    docs: doc('A sequence fed in pieces: push, save, restore, reset.'), statements: `return this.#model.stream(options) as unknown as ${name}Stream;`,
  });
  cls.addMethod({ name: 'dispose', returnType: 'void', docs: doc('Frees its memory.'), statements: 'this.#model.dispose();' });
  file.addTypeAlias({ name: `${name}Stream`, isExported: true, type: `Omit<Stream, "push"> & { push(inputs: ${name}Inputs): Promise<${name}Outputs> }` });
  // Typed where the reader's library has the symbol.
  file.addInterface({ name, isExported: true, extends: ['Disposing'], docs: doc(`With \`using\`, its end is the end of its scope.`) });
  // Engines without Symbol.dispose get the method all the same where they have the symbol later.
  file.addStatements(`const dispose = (Symbol as { readonly dispose?: symbol }).dispose;\nif (dispose) Object.defineProperty(${name}.prototype, dispose, { value: ${name}.prototype.dispose });`);
}

/** Names of buffers and docs are for people: the runtime has no use for them. */
function manifestCode(manifest: Manifest): string {
  const lean = { ...manifest, buffers: manifest.buffers.map((b) => ({ ...b, name: '' })), inputs: manifest.inputs.map(withoutDoc), outputs: manifest.outputs.map(withoutDoc) };
  const { shapes, packed } = pack(JSON.parse(JSON.stringify(lean)) as Parameters<typeof pack>[0]);
  return `/* @__PURE__ */ unpack<Manifest>(${JSON.stringify(shapes)}, ${JSON.stringify(packed)})`;
}
function withoutDoc({ doc: _, ...spec }: TensorSpec): TensorSpec {
  return spec;
}

interface Node {
  readonly children: Map<string, Node | TensorSpec>;
}
function properties(specs: readonly TensorSpec[], type: string): { name: string; type: string; isReadonly: boolean; docs: { description: string }[] }[] {
  const root: Node = { children: new Map() };
  for (const s of specs) {
    let at = root;
    for (const part of s.path.slice(0, -1)) {
      const next = at.children.get(part);
      const node: Node = next && 'children' in next ? next : { children: new Map() };
      at.children.set(part, node);
      at = node;
    }
    at.children.set(s.path.at(-1) ?? s.name, s);
  }
  return [...root.children].map(([key, child]) => ({
    name: JSON.stringify(key), isReadonly: true, type: typeText(child, type),
    docs: doc('children' in child ? 'One tensor per member.' : `${child.doc ? `${child.doc}\n` : ''}[batch${child.time ? ', time' : ''}${child.shape.map((n) => `, ${n}`).join('')}]`),
  }));
}
function typeText(child: Node | TensorSpec, type: string): string {
  if ('children' in child) return `{ ${[...child.children].map(([k, c]) => `readonly ${JSON.stringify(k)}: ${typeText(c, type)}`).join('; ')} }`;
  return `${type}<readonly [batch: number, ${child.time ? 'time: number, ' : ''}${child.shape.join(', ')}]>`.replace(', ]', ']');
}
/** Doc comments as inert text. */
function doc(text: string): { description: string }[] {
  return [{ description: text.replaceAll('*/', '*\\/').replaceAll('@', '\\@').replaceAll('`', "'").replaceAll('{', '\\{') }];
}
