import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { CriuHold, type HoldOptions } from '../../src/criu/hold.ts';
import type { Host } from '../../src/host/host.ts';
import { processState } from '../../src/host/remote-process.ts';

/**
 * Stands in for criu: it runs the action script as criu does (stdin closed, one action after the other), ends with 0
 * when the script at the point of return does, with 255 otherwise. The real criu is held in test/e2e.
 */
const FAKE_CRIU = `
CRTOOLS_IMAGE_DIR=$2 CRTOOLS_SCRIPT_ACTION=post-dump "$1" <&- || exit 255
[ -z "$3" ] || kill -s KILL -- "$3"
exit "$4"
`;

export interface FakeCriu {
  /** What criu ends when the hold commits: a pid, or a process group as `-GROUP`. */
  readonly ends?: string;
  /** criu fails although its hold was committed. */
  readonly fails?: boolean;
  readonly options?: HoldOptions;
}

/** A hold of which everything but criu is real, at its point of return. */
export async function heldByFakeCriu(host: Host, directory: string, how: FakeCriu = {}): Promise<CriuHold> {
  const hold = await CriuHold.prepare(host, join(directory, 'hold'), how.options ?? {}, (paths) => [
    ...[
      'sh',
      '-c',
      FAKE_CRIU,
      'criu',
      paths.actionScript,
      directory,
      how.ends ?? '',
      how.fails === true ? '1' : '0',
    ],
  ]);
  const { pid } = await processState(host, join(directory, 'hold', 'process')).then((state) =>
    state.kind === 'running' ? state : { pid: undefined },
  );
  // One that nobody has decided waits for ever, also when its directory is gone.
  onTestFinished(() => {
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  await hold.start(new AbortController().signal);
  return hold;
}
