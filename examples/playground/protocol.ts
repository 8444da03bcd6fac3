/** What the page and its workers say to each other. Plain data: it is copied between them. */
import type { Manifest } from '../../src/runtime/index.js';
import type { GpuPlanSource } from '../../src/runtime/gpu/plan.js';

/** A spec: the file that is edited, and its text. Files beside it are the examples'. */
export interface Source {
  readonly path: string;
  readonly text: string;
}
export interface Problem {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly text: string;
  /** Offsets in the edited file; of another file, its name. */
  readonly from: number;
  readonly to: number;
  readonly file?: string;
  readonly notes: readonly string[];
  /** What would mend it. */
  readonly fixes: readonly { readonly title: string; readonly edits: readonly TextEdit[] }[];
}
export interface TextEdit {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
}
/** What may be written at a place. */
export interface Proposal {
  readonly label: string;
  readonly kind: string;
  readonly detail: string;
  readonly text: string;
  readonly edits: readonly TextEdit[];
  readonly from: number;
}
/** A stage: the equations that it computes, and the kernel that it became. */
export interface StageView {
  readonly name: string;
  readonly anchor: string;
  readonly domain: string;
  readonly about: string;
  readonly equations: readonly string[];
  readonly wgsl: string | undefined;
  readonly kernel: string;
}
export interface Variant {
  readonly features: readonly string[];
  readonly wgsl: string;
}
export interface Built {
  readonly manifest: Manifest;
  readonly wasm: Uint8Array;
  readonly webgpu?: { readonly plan: GpuPlanSource; readonly wgsl: string; readonly variants: readonly Variant[] };
  readonly stages: readonly StageView[];
  /** A sentence for each recurrence. */
  readonly stability: readonly string[];
  /** Names of the states, and the labels of their modalities. */
  readonly states: readonly { readonly name: string; readonly labels: readonly string[] }[];
  readonly initial: ReadonlyMap<string, Numbers>;
}
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
/** Root mean square of a state over all but time and modality: a line for each modality. */
export interface StateLines {
  readonly name: string;
  readonly labels: readonly string[];
  readonly lines: readonly (readonly number[])[];
}
export interface Requests {
  readonly check: { readonly given: Source; readonly answer: readonly Problem[] };
  readonly complete: { readonly given: Source & { readonly offset: number }; readonly answer: readonly Proposal[] };
  /** Markdown. */
  readonly hover: { readonly given: Source & { readonly offset: number }; readonly answer: { readonly from: number; readonly to: number; readonly markdown: string } | undefined };
  readonly build: { readonly given: Source; readonly answer: { readonly problems: readonly Problem[]; readonly built?: Built } };
  /** The float64 interpreter's: states over time, and other definitions as they are. */
  readonly trace: {
    readonly given: Source & { readonly weights: ReadonlyMap<string, Numbers>; readonly inputs: ReadonlyMap<string, Numbers>; readonly also: readonly string[] };
    readonly answer: { readonly states: readonly StateLines[]; readonly also: ReadonlyMap<string, Numbers> };
  };
}
export type Kind = keyof Requests;
export interface Request<K extends Kind = Kind> {
  readonly id: number;
  readonly kind: K;
  readonly given: Requests[K]['given'];
}
export type Reply = { readonly id: number; readonly answer: Requests[Kind]['answer'] } | { readonly id: number; readonly error: string };
