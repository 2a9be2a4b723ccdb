// Gives random documents to what `validate` and `plan` do: `npm run fuzz [DOCUMENTS] [SEED]`. Each must be refused with
// words for a person, at a place that is in the text, or become a plan; nothing may be started, nowhere connected.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setUpPackages } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [documents = '100000', seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
/** Of each core one. */
const PARTS = 2;

setUpPackages();

const parts = await Promise.all(Array.from({ length: PARTS }, (_, part) => run(part)));
const tally = {};
for (const { counts } of parts) {
  for (const [name, count] of Object.entries(counts)) tally[name] = (tally[name] ?? 0) + count;
}
console.log(`fuzz: seed ${seed}: ${JSON.stringify(tally)}`);
process.exitCode = parts.every(({ isGood }) => isGood) && tally.planned > 0 ? 0 : 1;

/** What is said of an effect is said by the helper that is loaded first, on standard error. */
function run(part) {
  const share = Math.ceil(Number(documents) / PARTS);
  const child = spawn(
    process.execPath,
    [
      ...['--require', `${root}/test/helpers/tell-effects.cjs`, `${root}/scripts/fuzz/part.mjs`],
      ...[String(share), String(Number(seed) + part)],
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let errors = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => {
    errors += data;
    process.stderr.write(data);
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      const counts = JSON.parse(out.trim().split('\n').at(-1) || '{}');
      resolve({ counts, isGood: code === 0 && errors === '' });
    });
  });
}
