import { writeFileSync } from 'node:fs';
import type { Host } from '../../src/host/host.ts';
import { LocalHost } from '../../src/host/local.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** This machine, with some programs replaced by sh scripts: for failures that cannot be had otherwise. */
export interface FakePrograms extends Disposable {
  readonly host: Host;
}

export function fakePrograms(scripts: Readonly<Record<string, string>>): FakePrograms {
  const directory = temporaryDirectory();
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(directory.at(name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const local = new LocalHost();
  const path = `PATH=${directory.path}:${process.env['PATH']}`;
  return {
    host: {
      name: 'local',
      run: (argv, options) => local.run(['env', path, ...argv], options),
      standBy: () => local.standBy(),
      close: () => local.close(),
    },
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}
