/** Recordings of examples/mex: real windows of 64 frames at 10 Hz, in the units that the model takes. */
import { fetchBytes, readSafetensors } from '../../src/runtime/index.js';
import url from 'virtual:recordings';

export const exercises = ['knee-rolling', 'bridging', 'pelvic-tilt', 'clam', 'extension-in-lying', 'prone-punches', 'superman'] as const;
export const sensors = ['depth', 'pressure', 'accel'] as const;
export type Sensor = (typeof sensors)[number];
export const STEPS = 64;
export const widths: Readonly<Record<Sensor, number>> = { depth: 192, pressure: 128, accel: 6 };
/** From the packing's whole numbers, in float32 as the training did. */
const units: Readonly<Record<Sensor, (v: number) => number>> = {
  depth: (v) => Math.fround(Math.fround(v * Math.fround(0.003)) + Math.fround(0.235)), pressure: (v) => Math.fround(v / 255), accel: (v) => Math.fround(v / 4000),
};
export interface Recording {
  readonly label: number;
  readonly signals: Readonly<Record<Sensor, Float32Array>>;
}
export async function readRecordings(): Promise<readonly Recording[]> {
  const file = readSafetensors(await fetchBytes(url));
  const labels = file.tensor('labels').toFloat64();
  const all = Object.fromEntries(sensors.map((s) => [s, Float32Array.from(file.tensor(s).toFloat64(), units[s])])) as Readonly<Record<Sensor, Float32Array>>;
  return Array.from(labels, (label, k) => ({
    label, signals: Object.fromEntries(sensors.map((s) => [s, all[s].slice(k * STEPS * widths[s], (k + 1) * STEPS * widths[s])])) as unknown as Recording['signals'],
  }));
}

/** Rows and columns of the two cameras' pictures. */
const pictures = { depth: [12, 16], pressure: [16, 8] } as const;
/** One frame of a picture, grey between the window's extremes. */
export function paint(canvas: HTMLCanvasElement, sensor: keyof typeof pictures, signal: Float32Array, moment: number): void {
  const [rows, columns] = pictures[sensor];
  canvas.width = columns;
  canvas.height = rows;
  const low = signal.reduce((a, b) => Math.min(a, b));
  const high = signal.reduce((a, b) => Math.max(a, b));
  const frame = signal.subarray(moment * rows * columns, (moment + 1) * rows * columns);
  const pixels = Uint8ClampedArray.from({ length: frame.length * 4 }, (_, k) => (k % 4 === 3 ? 255 : (255 * ((frame[k >> 2] as number) - low)) / (high - low || 1)));
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, columns, rows), 0, 0);
}
