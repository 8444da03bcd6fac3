/** The files that `ssmc init` writes: text only, the same on every machine. The spec's parameters are initialised to what they should be. */
import { version } from '../version.js';

export type Template = 'page' | 'node';

export const spec = `/// A row of strings: damped oscillators that are struck together, and ring at their own pitches.
model Strings {
  axis n = 12

  /// How hard they are struck at each step.
  input strike[t]

  param log_damping[n] = log(0.015)
  param pitch[n]       = 0.06 * (n + 2)

  /// One complex number for each string and step: it shrinks by the damping, and turns by the pitch.
  a[n] = exp(complex(-exp(log_damping[n]), pitch[n]))
  state h[t, n] = a[n] * h[t-1, n] + strike[t]

  /// Where each string is.
  output y[t, n] = re(h[t, n])
}
`;

const page = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Strings</title>
  <style>
    body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
    canvas { width: 100%; height: 20rem; border: 1px solid GrayText; border-radius: .5rem; }
    button { font: inherit; padding: .5rem 1.5rem; }
  </style>
</head>
<body>
  <h1>Strings</h1>
  <p><button id="strike">Strike</button> <span id="device" role="status">loading</span></p>
  <canvas id="view" width="880" height="400" role="img" aria-label="Twelve strings over the last steps, each a line"></canvas>
  <p>The model is <code>src/strings.ssm</code>: change it while this page is open.</p>
  <script type="module" src="/src/main.js"></script>
</body>
</html>
`;
const pageScript = `import { Strings } from "./strings.ssm";

const view = document.querySelector("#view");
const draw = view.getContext("2d");
const model = await Strings.load({ weights: new URL("strings.safetensors", document.baseURI) });
document.querySelector("#device").textContent = \`running on \${model.device.name}\`;

// One step of the model for each pixel, four for each frame: a stream carries the state from push to push.
const stream = model.stream();
const strings = 12;
const past = Array.from({ length: strings }, () => new Float32Array(view.width));
let strike = 0;
document.querySelector("#strike").addEventListener("click", () => { strike = 1; });

async function frame() {
  const { y } = await stream.push({ strike: Float32Array.of(strike, 0, 0, 0) });
  strike = 0;
  const steps = y.data.length / strings;
  const colour = getComputedStyle(document.body).color;
  draw.clearRect(0, 0, view.width, view.height);
  past.forEach((line, n) => {
    line.copyWithin(0, steps);
    for (let t = 0; t < steps; t++) line[line.length - steps + t] = y.data[t * strings + n];
    draw.beginPath();
    draw.strokeStyle = colour;
    line.forEach((v, x) => draw.lineTo(x, ((n + 0.5 - 0.4 * v) * view.height) / strings));
    draw.stroke();
  });
  requestAnimationFrame(frame);
}
strike = 1;
frame();
`;
const nodeScript = `import { Strings } from "./gen/strings.js";

const model = await Strings.load({ weights: new URL("strings.safetensors", import.meta.url) });
const strike = new Float32Array(72);
strike[0] = 1;
const { y } = await model.run({ strike });
const [, steps, strings] = y.shape;
console.log(\`\${strings} strings, \${steps} steps, on \${model.device.name}\`);
const levels = "▁▂▃▄▅▆▇█";
for (let n = 0; n < strings; n++) {
  const line = Array.from({ length: steps }, (_, t) => levels[Math.min(7, Math.floor((y.data[t * strings + n] + 1) * 4))]);
  console.log(line.join(""));
}
model.dispose();
`;
const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
const newest = `^${version}`;

/** Path → text; the weights beside them are made from the spec. */
export function filesOf(template: Template, name: string): { readonly files: Readonly<Record<string, string>>; readonly spec: string; readonly weights: string; readonly next: readonly string[] } {
  if (template === 'node') {
    const scripts = { build: 'ssmc compile strings.ssm', start: 'node main.js', weights: 'ssmc weights strings.ssm --init 0 --out strings.safetensors' };
    return {
      spec: 'strings.ssm', weights: 'strings.safetensors', next: ['npm install', 'npm run build', 'npm start'],
      files: { 'package.json': json({ name, private: true, type: 'module', scripts, dependencies: { ssmc: newest } }), '.gitignore': 'node_modules/\ngen/\n', 'strings.ssm': spec, 'main.js': nodeScript },
    };
  }
  const scripts = { dev: 'vite', build: 'vite build', preview: 'vite preview', weights: 'ssmc weights src/strings.ssm --init 0 --out public/strings.safetensors' };
  return {
    spec: 'src/strings.ssm', weights: 'public/strings.safetensors', next: ['npm install', 'npm run dev'],
    files: {
      'package.json': json({ name, private: true, type: 'module', scripts, devDependencies: { ssmc: newest, unplugin: '^3.0.0', vite: '^8.0.0' } }), '.gitignore': 'node_modules/\ndist/\n',
      'vite.config.js': 'import { ssmc } from "ssmc/vite";\n\nexport default { base: "./", plugins: [ssmc()] };\n', 'index.html': page, 'src/main.js': pageScript, 'src/strings.ssm': spec,
    },
  };
}
