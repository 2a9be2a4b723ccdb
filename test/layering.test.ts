import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Which folders a folder may import from, besides itself: one direction, no cycles. `.` is src itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  '.': ['engine', 'errors', 'events', 'lab', 'package', 'plan', 'recipe', 'report'],
  cli: [
    'engine',
    'errors',
    'events',
    'forecast',
    'explain',
    'host',
    'lab',
    'lock',
    'package',
    'plan',
    'preflight',
    'recipe',
    'report',
    'store',
  ],
  explain: ['errors', 'preflight', 'recipe', 'report', 'steps'],
  report: ['errors', 'events', 'package'],
  engine: [
    'checkpoint',
    'criu',
    'errors',
    'events',
    'host',
    'lock',
    'plan',
    'preflight',
    'steps',
    'store',
    'template',
    'workload',
  ],
  forecast: [
    'checkpoint',
    'criu',
    'engine',
    'events',
    'network',
    'plan',
    'steps',
    'template',
    'transfer',
    'workload',
  ],
  steps: [
    'checkpoint',
    'criu',
    'errors',
    'events',
    'host',
    'network',
    'plan',
    'preflight',
    'template',
    'transfer',
    'workload',
  ],
  preflight: ['checkpoint', 'errors', 'events', 'host', 'plan', 'workload'],
  checkpoint: ['errors', 'host', 'plan', 'workload'],
  criu: ['errors', 'host', 'plan', 'transfer', 'workload'],
  network: ['errors', 'host'],
  transfer: ['errors', 'events', 'host', 'plan'],
  workload: ['errors', 'host', 'plan'],
  lab: ['errors', 'host'],
  lock: ['errors', 'host'],
  plan: ['errors', 'events', 'recipe', 'template'],
  recipe: ['errors', 'package', 'template'],
  template: ['errors'],
  store: ['errors', 'host', 'plan'],
  host: ['errors'],
  events: ['errors', 'template'],
  errors: [],
  package: [],
};

/** The one folder, or file, that may import a package. */
const OWNERS: Readonly<Record<string, RegExp>> = {
  ajv: /^recipe\//,
  commander: /^cli\//,
  execa: /^host\//,
  'fastest-levenshtein': /^recipe\//,
  listr2: /^report\/tree/,
  nunjucks: /^template\//,
  'pretty-bytes': /^report\//,
  'p-retry': /^engine\//,
  'pretty-ms': /^report\//,
  shlex: /^(host|template)\//,
  'ssh2-sftp-client': /^host\//,
  yaml: /^recipe\//,
};

interface Import {
  readonly file: string;
  readonly target: string;
}

/** As the compiler reads them: static, dynamic, of types, and for their effects only. */
function importsOf(file: string): Import[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(src, file), 'utf8'));
  return importedFiles.map(({ fileName }) => ({ file, target: fileName }));
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const imports = files.flatMap(importsOf);
const own = imports
  .filter(({ target }) => target.startsWith('.'))
  .map(({ file, target }) => ({ file, target: relative(src, join(src, dirname(file), target)) }))
  .filter(({ target }) => !target.startsWith('..'));

function folderOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] ?? '') : '.';
}

test('the table names every folder, and no other', () => {
  expect([...new Set(files.map(folderOf))].toSorted()).toEqual(Object.keys(MAY_IMPORT).toSorted());
});

test('imports go in one direction', () => {
  const wrong = own.filter(({ file, target }) => {
    const [from, to] = [folderOf(file), folderOf(target)];
    return from !== to && MAY_IMPORT[from]?.includes(to) !== true;
  });
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test('no file imports itself by way of others', () => {
  const targets = new Map<string, string[]>();
  for (const { file, target } of own) targets.set(file, [...(targets.get(file) ?? []), target]);
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) throw new Error(`a cycle: ${[...path, file].join(' -> ')}`);
    if (done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test('a package is imported by its owner only', () => {
  const foreign = imports.filter(({ target }) => !target.startsWith('.') && !target.startsWith('node:'));
  const wrong = foreign.filter(({ file, target }) => {
    const name = target.startsWith('@')
      ? target.split('/').slice(0, 2).join('/')
      : (target.split('/')[0] ?? '');
    return OWNERS[name]?.test(file) !== true;
  });
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test('only cli ends the process', () => {
  const wrong = files.filter(
    (file) =>
      !file.startsWith('cli/') && /process\.exit(Code)?\b/.test(readFileSync(join(src, file), 'utf8')),
  );
  expect(wrong).toEqual([]);
});
