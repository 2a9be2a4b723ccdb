import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MigrationLab } from '../helpers/migration-lab.ts';
import { controllerKilled } from './controller-faults.ts';
import type { Fault } from './fault.ts';
import { startSshd, stopSshd } from './sshd.ts';

const LIBRARY = 'libfaketime.so.1';
const OFF_S = 3600;

/** The clock stays so while the run is taken up. */
export const clockOff: Fault = {
  title: 'destination clock 1 h off, controller SIGKILL',
  async before({ lab, to, random }) {
    const offset = `${random() < 0.5 ? '+' : '-'}${OFF_S}s`;
    await stopSshd(lab, to);
    const time = `FAKETIME=${offset} FAKETIME_DONT_FAKE_MONOTONIC=1`;
    await startSshd(lab, to, `LD_PRELOAD=/shared/${LIBRARY} ${time}`);
    const date = execFileSync('ssh', ['-F', lab.lab.sshConfigFile, to, 'date', '+%s'], { encoding: 'utf8' });
    const off = Math.abs(Number(date) - Date.now() / 1000);
    if (Math.abs(off - OFF_S) > 60) throw new Error(`the clock of ${to} is ${off} s off`);
  },
  inject: controllerKilled.inject,
  async after({ lab, to }) {
    await stopSshd(lab, to);
    await startSshd(lab, to);
  },
};

/**
 * Brings Debian's libfaketime, unpacked beside the labs: nothing is installed. Preloaded into what ssh starts on a host,
 * its wall clock, and nobody else's, is off.
 */
export function bringFakeTime(labs: readonly MigrationLab[]): void {
  const directory = mkdtempSync(join(tmpdir(), 'criu-flow-faketime-'));
  try {
    execFileSync('apt-get', ['download', 'libfaketime'], { cwd: directory, stdio: 'ignore' });
    const file = readdirSync(directory).find((name) => name.endsWith('.deb')) ?? '';
    execFileSync('dpkg', ['-x', file, 'root'], { cwd: directory });
    const options = { cwd: directory, encoding: 'utf8' } as const;
    const found = execFileSync('find', ['root', '-name', LIBRARY], options).trim();
    for (const { sharedDirectory } of labs) {
      cpSync(join(directory, found), join(sharedDirectory, LIBRARY), { dereference: true });
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
