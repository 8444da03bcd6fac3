/** The page: what is edited is checked, compiled, run and drawn, each step as soon as the one before it is done; a newer text ends older work. */
import type { Model } from '../../src/runtime/index.js';
import { byId, element } from './dom.js';
import { makeEditor, type Editor } from './editor.js';
import { examples } from './files.js';
import { showKernels } from './kernels-view.js';
import { inputsFrom, load, madeUp, run, takesRecordings, weightsFor, type Weights } from './models.js';
import { partsOf, wanted } from './parts.js';
import type { Built, Numbers, Problem } from './protocol.js';
import { exercises, readRecordings, type Recording } from './recordings.js';
import { showOutputs, showRecording, showScores } from './run-view.js';
import { fromHash, toHash } from './share.js';
import { couplingOf, showStates, withCoupling } from './states-view.js';
import { makeTabs } from './tabs.js';
import { Helper } from './workers.js';

const first = 'mex/mex.ssm';
/** Answers while one types; it is never given up. */
const adviser = new Helper();
const compiler = new Helper();
const tracers = [new Helper(), new Helper()] as const;
let path = first;
let built: Built | undefined;
let weights: { readonly weights: Weights; readonly note: string } | undefined;
let model: Model | undefined;
let recordings: readonly Recording[] | undefined;
/** Counts texts: what belongs to an older one is thrown away. */
let turn = 0;
let waiting: ReturnType<typeof setTimeout> | undefined;

const choice = byId<HTMLSelectElement>('example');
const device = byId<HTMLSelectElement>('device');
const windowSlider = byId<HTMLInputElement>('window');
const momentSlider = byId<HTMLInputElement>('moment');
const say = (id: string, text: string): void => { byId(id).textContent = text; };
const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const moment = (): number => Number(momentSlider.value);
const recording = (): Recording | undefined => recordings?.[Number(windowSlider.value)];
const advice = {
  complete: (offset: number) => adviser.ask('complete', { path, text: editor.text(), offset }),
  hover: (offset: number) => adviser.ask('hover', { path, text: editor.text(), offset }),
};
const editor: Editor = makeEditor(byId('editor'), advice, () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => void changed(), 120);
});

/** Check at once; compile what is right. */
async function changed(): Promise<void> {
  const mine = ++turn;
  compiler.drop();
  for (const tracer of tracers) tracer.drop();
  const source = { path, text: editor.text() };
  const problems = await adviser.ask('check', source);
  if (mine !== turn) return;
  showProblems(problems);
  if (problems.some((p) => p.severity === 'error')) return;
  say('compiled', '· compiling …');
  const started = performance.now();
  const made = await compiler.ask('build', source).catch((error: unknown) => { say('compiled', `· ${reason(error)}`); return undefined; });
  if (!made || mine !== turn) return;
  showProblems(made.problems);
  if (!made.built) return;
  say('compiled', `· compiled in ${(performance.now() - started).toFixed(0)} ms`);
  built = made.built;
  history.replaceState(null, '', await toHash(source.text === examples.get(path) ? { example: path } : { example: path, text: source.text }));
  showKernels(built);
  say('stability', built.stability.join('. ') || 'No recurrence.');
  const coupling = couplingOf(source.text);
  byId('coupling').toggleAttribute('hidden', coupling === undefined);
  for (const radio of document.querySelectorAll<HTMLInputElement>('[name="coupling"]')) radio.checked = radio.value === coupling;
  weights = await weightsFor(path, built);
  if (mine === turn) await reload();
}
function showProblems(problems: readonly Problem[]): void {
  editor.show(problems.filter((p) => p.file === undefined));
  const count = problems.filter((p) => p.severity === 'error').length;
  say('compiled', count > 0 ? `· ${count} ${count === 1 ? 'error' : 'errors'}` : problems.length > 0 ? '' : '· none');
  byId('problems').replaceChildren(...problems.map((p) => {
    const button = element('button', { type: 'button', class: p.severity }, `${p.code}: ${p.text}${p.file === undefined ? '' : ` (${p.file})`}`, ...p.notes.map((n) => element('div', { class: 'soft' }, n)));
    button.addEventListener('click', () => editor.goTo(p.from));
    return element('li', {}, button);
  }));
}

/** Loads the model on the chosen device. */
async function reload(): Promise<void> {
  if (!built || !weights) return;
  const mine = turn;
  say('ran', 'loading');
  model?.dispose();
  model = undefined;
  try {
    const loaded = await load(built, weights.weights, device.value as 'auto');
    if (mine !== turn) return loaded.dispose();
    model = loaded;
    if (takesRecordings(built)) recordings ??= await readRecordings();
  } catch (error) {
    say('ran', reason(error));
    byId('outputs').replaceChildren();
    return;
  }
  await answer();
}
function inputs(of: Built): ReadonlyMap<string, Numbers> {
  const chosen = takesRecordings(of) ? recording() : undefined;
  return chosen ? inputsFrom(chosen) : madeUp(of);
}
/** Runs it, draws what it says, and asks the interpreter for what lies behind. */
async function answer(): Promise<void> {
  const [now, on, mine] = [built, model, turn];
  if (!now || !on) return;
  const shown = takesRecordings(now) ? recording() : undefined;
  byId('recording').toggleAttribute('hidden', shown === undefined);
  if (shown) drawRecording();
  try {
    const { outputs, milliseconds } = await run(on, inputs(now));
    if (mine !== turn || on !== model) return;
    const { device: ran } = on;
    const passed = ran.passedOver.map((p) => `; ${p.device} was passed over: ${p.why.replace(/^SSM\d+: /, '')}`).join('');
    say('ran', `Ran on ${ran.name === 'wasm' ? 'WebAssembly' : `WebGPU (${ran.adapter ?? 'an adapter without a name'})`} in ${milliseconds.toFixed(1)} ms${weights?.note ? `, ${weights.note}` : ''}${passed}.`);
    const [scores] = [...outputs.values()];
    const classifies = shown && outputs.size === 1 && scores?.data.length === exercises.length;
    if (classifies) showScores(scores.data, shown.label, undefined);
    else showOutputs(outputs, (name) => on.manifest.outputs.find((o) => o.name === name)?.time === true);
    void look(classifies ? { scores: scores.data, truth: shown.label } : undefined);
  } catch (error) {
    say('ran', reason(error));
  }
}
/** States and parts, by the interpreter, in workers of their own: it takes its time. */
async function look(said: { readonly scores: Float32Array; readonly truth: number } | undefined): Promise<void> {
  if (!built || !weights) return;
  const mine = turn;
  for (const tracer of tracers) tracer.drop();
  const text = editor.text();
  const given = { path, text, weights: weights.weights, inputs: inputs(built), also: wanted };
  say('tracing', built.states.length > 0 ? 'interpreting' : 'This model has no states of real numbers.');
  const [mainTracer, other] = tracers;
  const coupling = couplingOf(text);
  const compares = coupling !== undefined && coupling !== 'sum';
  try {
    const { states, also } = await mainTracer.ask('trace', given);
    if (mine !== turn) return;
    const parts = partsOf(also, weights.weights);
    if (said && parts) showScores(said.scores, said.truth, parts);
    const draw = (summed?: typeof states): void => showStates(states, summed, takesRecordings(built as Built) ? moment() : undefined);
    draw();
    if (states.length > 0) say('tracing', compares ? 'interpreting it with sums' : 'By the float64 interpreter.');
    if (!compares || states.length === 0) return;
    const { states: summed } = await other.ask('trace', { ...given, text: withCoupling(text, 'sum') });
    if (mine !== turn) return;
    draw(summed);
    say('tracing', `By the float64 interpreter. Dashed: the same weights, the modalities' states summed instead of \`${coupling}\`.`);
  } catch (error) {
    if (mine === turn) say('tracing', reason(error));
  }
}
function drawRecording(): void {
  const shown = recording();
  if (shown && recordings) showRecording(shown, Number(windowSlider.value), recordings.length, moment());
}

function open(example: string, text?: string): void {
  path = examples.has(example) ? example : first;
  choice.value = path;
  editor.replace(text ?? examples.get(path) ?? '');
}
async function start(): Promise<void> {
  makeTabs(byId('tabs'));
  choice.append(...[...examples.keys()].sort((a, b) => (a === first ? -1 : b === first ? 1 : a < b ? -1 : 1)).map((name) => element('option', { value: name }, name)));
  choice.addEventListener('change', () => open(choice.value));
  device.addEventListener('change', () => void reload());
  windowSlider.addEventListener('input', () => void answer());
  momentSlider.addEventListener('input', drawRecording);
  for (const radio of document.querySelectorAll<HTMLInputElement>('[name="coupling"]')) radio.addEventListener('change', () => editor.replace(withCoupling(editor.text(), radio.value)));
  byId('share').addEventListener('click', () => void share());
  window.addEventListener('hashchange', () => void follow());
  await follow();
}
async function follow(): Promise<void> {
  const shared = await fromHash(location.hash);
  open(shared?.example ?? first, shared?.text);
}
async function share(): Promise<void> {
  const text = editor.text();
  const url = new URL(await toHash(text === examples.get(path) ? { example: path } : { example: path, text }), location.href);
  history.replaceState(null, '', url);
  const copied = await navigator.clipboard?.writeText(url.href).then(() => true, () => false);
  say('shared', copied ? 'copied' : 'the address of this page holds the spec');
}
void start();
