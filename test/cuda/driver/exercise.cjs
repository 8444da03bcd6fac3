/**
 * All that the addon does, in one process that AddressSanitizer watches: sessions, graphs, failures of every call, refusals, disposal while work is
 * under way, what nobody refers to any more, worker threads that end in every way. Prints `fine` at the end.
 */
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const { addon, driver, nvrtc, image: text, plant } = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const native = require(addon);
const image = new TextEncoder().encode(text);
const data = Float32Array.from({ length: 64 }, (_, k) => k).buffer;
const [CLEAR, WRITE, COPY, READ, LAUNCH] = [1, 2, 3, 4, 5];

async function session(by, graph, on) {
  const s = on ? on.s : (await native.open(driver, 0)).session;
  if (!on) await s.load(image, ['scale']);
  const [x, y, z] = [await s.allocate(256), await s.allocate(256), await s.allocate(100)];
  s.free(z);
  const batch = await s.prepare(Float64Array.from([CLEAR, y, 256, WRITE, x, 0, 256, 0, LAUNCH, 0, 2, 1, 1, 32, 4, 1, x, 0, 1, y, 0, 0, 60, 0, by, COPY, y, 0, x, 0, 64, READ, y, 0, 256, 0, READ, x, 0, 64, 256]), graph);
  return { s, x, y, batch };
}
async function check(batch, by) {
  const out = new Float32Array((await batch.run(data)).data);
  for (let k = 0; k < 60; k++) if (out[k] !== k * by) throw new Error(`${out[k]} at ${k}, not ${k * by}`);
}
async function failed(work) {
  try {
    await work();
  } catch {
    return true;
  }
  return false;
}

async function everything(control) {
  for (const graph of [false, true]) {
    const { s, batch } = await session(3, graph);
    for (let k = 0; k < 3; k++) await check(batch, 3);
    await s.dispose();
  }
  // Each call in turn, for once and for good.
  const whole = async () => {
    const made = [];
    try {
      const a = await session(2, true);
      made.push(a.s);
      await check(a.batch, 2);
      const c = await a.s.prepare(Float64Array.from([READ, a.x, 0, 4, 0]), false);
      await c.run(new ArrayBuffer(0));
      c.dispose();
      const [e, f] = [(await session(3, false, a)).batch, (await session(4, false, a)).batch];
      await e.start(data);
      await f.start(data);
      await e.result();
      // The other is left under way.
      f.dispose();
    } finally {
      await Promise.all(made.map((x) => x.dispose()));
    }
  };
  const before = control.look().calls;
  await whole();
  const { calls } = control.look();
  for (const [call, count] of Object.entries(calls)) {
    for (let k = 0; k < count - (before[call] ?? 0); k++) {
      for (const status of [1, 2, 719]) {
        control.fail(call, k, status);
        await failed(whole);
        global.gc();
        for (let n = 0; n < 300 && control.look().contexts > 0; n++) {
          global.gc();
          await new Promise((resolve) => { setTimeout(resolve, 2); });
        }
        control.reset();
      }
    }
  }
  // Numbers that name nothing.
  const { s, x, batch } = await session(1, false);
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let k = 0; k < 3000; k++) {
    const words = Float64Array.from({ length: Math.floor(random() * 12) }, () => (random() < 0.2 ? [NaN, -1, 0.5, 2 ** 53, 2 ** 32, Infinity][Math.floor(random() * 6)] : random() < 0.5 ? x : 4 * Math.floor(random() * 70)));
    words[0] = 1 + Math.floor(random() * 5);
    if (words[0] === LAUNCH) words[1] = 0;
    await failed(async () => (await s.prepare(words, false)).dispose());
  }
  await check(batch, 1);
  // The end while work is under way.
  control.set('held', 1);
  const last = check(batch, 1);
  batch.dispose();
  const closed = s.dispose();
  setTimeout(() => control.set('held', 0), 20);
  await last;
  await closed;
  await native.compile([nvrtc], '__global__', [], 90);
  await failed(() => native.compile([nvrtc], '#error', [], 90));
  // What nobody refers to.
  for (let k = 0; k < 5; k++) await check((await session(k, true)).batch, k);
  for (let k = 0; k < 300 && control.look().contexts > 0; k++) {
    global.gc();
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
  const ends = ['itself', 'left', 'exit', 'terminate'];
  await Promise.all(ends.map((end) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { addon, driver, nvrtc, image: text, end } });
    worker.on('message', () => { if (end === 'terminate') void worker.terminate(); });
    worker.on('error', reject);
    worker.on('exit', resolve);
  })));
  if (plant) control.overrun();
  const { contexts, misuses } = control.look();
  console.log(contexts === 0 && misuses.length === 0 ? 'fine' : JSON.stringify({ contexts, misuses }));
}
async function inWorker() {
  for (let k = 0; ; k++) {
    const { s, batch } = await session(k, true);
    for (let i = 0; i < 3; i++) await check(batch, k);
    parentPort.postMessage(k);
    if (workerData.end === 'itself') { await s.dispose(); return; }
    if (workerData.end === 'left') return;
    if (workerData.end === 'exit') process.exit(0);
  }
}
if (isMainThread) everything(require(driver)).catch((error) => { console.error(error); process.exitCode = 1; });
else void inWorker();
