// `part.mjs DOCUMENTS SEED`: what fuzz.mjs gives one core to do. Its last line is what became of the documents.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { formatForecast } from '../../dist/cli/format-forecast.js';
import { formatSequenceForecast } from '../../dist/cli/format-sequence-forecast.js';
import { forecastPlan } from '../../dist/forecast/forecast-plan.js';
import { forecastSequence } from '../../dist/forecast/forecast-sequence.js';
import { loadAnyPlan, validateRecipe } from '../../dist/plan/load-plan.js';
import { formatDiagnostics } from '../../dist/recipe/diagnostic.js';
import { createPaint } from '../../dist/report/format.js';
import { documents, givenInputs } from './documents.mjs';

const [count, seed] = process.argv.slice(2).map(Number);
const root = new URL('../..', import.meta.url).pathname;
const schema = JSON.parse(readFileSync(`${root}/schemas/recipe.schema.json`, 'utf8'));
const recipes = [
  ...readdirSync(`${root}/recipes`).map((name) => `${root}/recipes/${name}`),
  `${root}/test/forecast/rich.yaml`,
].map((file) => readFileSync(file, 'utf8'));
const cwd = mkdtempSync(join(tmpdir(), 'criu-flow-fuzz-'));
const GOOD_VALUES = {
  ...{ path: '/srv/a', cidr: '10.0.0.9/24', pid: '4711', port: '7000', string: "it's $(x)", int: '3' },
  ...{ bool: 'true', duration: '5s', bytes: '1MiB', list: 'a.service', secret: 'env:HOME' },
};
const tally = { documents: 0, refused: 0, valid: 0, planned: 0, slowestMs: 0 };
try {
  await fc.assert(
    fc.asyncProperty(documents(schema, recipes), givenInputs(), async (text, values) => {
      const begun = performance.now();
      await tryDocument(text, values);
      tally.documents += 1;
      tally.slowestMs = Math.max(tally.slowestMs, Math.round(performance.now() - begun));
    }),
    { numRuns: count, seed, endOnFailure: false },
  );
} catch (error) {
  console.error(error.message);
  console.error(error.cause);
  process.exitCode = 1;
} finally {
  rmSync(cwd, { recursive: true, force: true });
}
console.log(JSON.stringify(tally));

async function tryDocument(text, values) {
  writeFileSync(join(cwd, 'self.yaml'), text);
  const diagnostics = await validateRecipe({ recipe: './self.yaml', cwd });
  for (const each of diagnostics) checkDiagnostic(each);
  checkWords(formatDiagnostics(diagnostics, { color: false }));
  if (diagnostics.some(({ severity }) => severity === 'error')) {
    tally.refused += 1;
    return;
  }
  tally.valid += 1;
  const inputs = inputsFor(text, values);
  try {
    const plan = await loadAnyPlan({ recipe: './self.yaml', inputs, cwd });
    checkWords(foreseen(plan, createPaint(false)));
    tally.planned += 1;
  } catch (error) {
    if (error?.name !== 'FlowError' && error?.name !== 'RecipeError') throw error;
    for (const each of error.diagnostics ?? []) checkDiagnostic(each);
    checkWords(error.message);
  }
}

function foreseen(plan, paint) {
  const isSequence = plan.kind === 'sequence';
  const forecast = isSequence ? forecastSequence(plan) : forecastPlan(plan);
  JSON.stringify(forecast);
  return isSequence ? formatSequenceForecast(forecast, paint) : formatForecast(forecast, paint);
}

/** Mostly of the type that is asked for: what is refused here never becomes a plan. */
function inputsFor(text, values) {
  const declared = parse(text).inputs ?? {};
  return Object.entries(declared).map(([name, { type, items, values: allowed }], index) => {
    const isGood = values[0].length % 5 !== index;
    return `${name}=${isGood ? (allowed?.[0] ?? GOOD_VALUES[items] ?? GOOD_VALUES[type] ?? `root@host-${index}`) : values[index % values.length]}`;
  });
}

function checkDiagnostic({ message, location }) {
  if (message === '' || !(location.line >= 1) || !(location.column >= 1))
    throw new Error(`a diagnostic without words or place: ${JSON.stringify({ message, location })}`);
}

/** What a terminal would take as more than text, and what only a bug would say. */
function checkWords(text) {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  const bad = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]|\[object |undefined|    at /.exec(text);
  if (bad) throw new Error(`${JSON.stringify(bad[0])} in ${JSON.stringify(text.slice(0, 2000))}`);
}
