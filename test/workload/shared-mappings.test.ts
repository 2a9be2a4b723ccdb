import { mkdirSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { mergeMappings, readSharedMappings } from '../../src/workload/shared-mappings.ts';
import { startProgram } from '../helpers/started-program.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const host = new LocalHost();

/** Maps each of its files shared, and closes them. */
const MAPPING = `
import mmap, sys
maps = []
for path in sys.argv[1:]:
    with open(path, "wb+") as file:
        file.write(bytes(4096))
        file.flush()
        maps.append(mmap.mmap(file.fileno(), 4096))
print("ready", flush=True)
sys.stdin.read()
`;

test('finds what is mapped shared below paths, whatever its name is, and by which way the path leads there', async () => {
  using directory = temporaryDirectory();
  mkdirSync(directory.at('data', 'inner'), { recursive: true });
  symlinkSync(directory.at('data'), directory.at('link'));
  const names = ['inner/a b', 'line\nfeed', 'tab\tand * $(x)'];
  const paths = [
    ...names.map((name) => directory.at('data', name)),
    directory.at('single'),
    directory.at('outside'),
  ];
  await using program = await startProgram('python3', '-c', MAPPING, ...paths);
  const below = [directory.at('link'), directory.at('single'), directory.at('dat')];
  const found = await readSharedMappings(host, [program.pid, 999_999_999], below);
  expect(new Map([...found].map(([path, each]) => [path, [...each].toSorted()]))).toEqual(
    new Map([
      [directory.at('link'), names.toSorted()],
      [directory.at('single'), ['.']],
    ]),
  );
  expect(await readSharedMappings(host, [process.pid], [directory.at('link')])).toEqual(new Map());
});

test('what any of them has is in both together', () => {
  const [one, other] = [
    new Map([['/a', new Set(['x'])]]),
    new Map([
      ['/a', new Set(['y'])],
      ['/b', new Set(['.'])],
    ]),
  ];
  expect(mergeMappings(one, other)).toEqual(
    new Map([
      ['/a', new Set(['x', 'y'])],
      ['/b', new Set(['.'])],
    ]),
  );
});
