import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPidNamespace, startTicksOf } from './process-identity.ts';

/** `cf-PID-START-NAMESPACE-random`, the numbers in base 36: a unix socket's path has 108 bytes, and ssh adds to it (unix(7)). */
const NAME = /^cf-([0-9a-z]+)-([0-9a-z]+)-([0-9a-z]+)-[A-Za-z0-9]{6}$/;

/**
 * Makes a directory for the sockets of this process's connections, mode 0700, below TMPDIR. Who makes it removes it; those that
 * processes of this user have left, which were killed, are removed first.
 */
export async function makeControlDirectory(): Promise<string> {
  const place = tmpdir();
  // What cannot be swept is no reason not to connect.
  await sweep(place).catch(() => undefined);
  const owner = [process.pid, startTicksOf(process.pid) ?? 0, readPidNamespace()];
  return mkdtemp(join(place, `cf-${owner.map((number) => number.toString(36)).join('-')}-`));
}

async function sweep(place: string): Promise<void> {
  const own = readPidNamespace();
  for (const name of await readdir(place)) {
    const [pid, startTicks, namespace] = (NAME.exec(name)?.slice(1) ?? []).map((text) => parseInt(text, 36));
    if (pid === undefined || namespace !== own || startTicksOf(pid) === startTicks) continue;
    const path = join(place, name);
    const status = await lstat(path);
    // Somebody else's may only look like one.
    if (!status.isDirectory() || status.uid !== process.getuid?.() || (status.mode & 0o777) !== 0o700)
      continue;
    await rm(path, { recursive: true, force: true });
  }
}
