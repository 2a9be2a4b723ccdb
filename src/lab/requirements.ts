import { FlowError } from '../errors/flow-error.ts';
import { machine } from './tools.ts';

/** Programs that a lab needs, and the Debian package that brings each. */
export type Programs = Readonly<Record<string, string>>;

/** What every lab needs. */
const programsOfAll: Programs = {
  ip: 'iproute2',
  tc: 'iproute2',
  mmdebstrap: 'mmdebstrap',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
};

/**
 * Refuses on a machine that cannot build a lab. Changes nothing.
 * @param programs what this kind of lab needs besides
 * @param probe what else is missing, in words; asked only when all programs are there
 * @throws FlowError LAB_REQUIREMENT_MISSING that names all that is missing
 */
export async function requireForLab(
  programs: Programs,
  probe: () => Promise<readonly string[]>,
): Promise<void> {
  if (process.platform !== 'linux') throw missing([`Linux (this is ${process.platform})`], []);
  if (process.getuid?.() !== 0) {
    throw missing(['root (namespaces, mounts and network devices need it)'], []);
  }
  const needed = Object.entries({ ...programsOfAll, ...programs });
  const found = await Promise.all(
    needed.map(async ([program]) => {
      const result = await machine.run(['sh', '-c', 'command -v "$1"', 'sh', program]);
      return result.exitCode === 0;
    }),
  );
  const absent = needed.filter((_, index) => found[index] !== true);
  if (absent.length > 0) {
    throw missing(
      absent.map(([program, debianPackage]) => `${program} (Debian package ${debianPackage})`),
      [...new Set(absent.map(([, debianPackage]) => debianPackage))],
    );
  }
  const lacks = await probe();
  if (lacks.length > 0) throw missing(lacks, []);
}

function missing(what: readonly string[], debianPackages: readonly string[]): FlowError {
  return new FlowError(
    'LAB_REQUIREMENT_MISSING',
    `This machine cannot build a lab, it lacks ${what.join('; ')}`,
    {
      host: 'local',
      hint: 'What needs no lab still works: `criu-flow validate`, and `criu-flow run` between real hosts.',
      ...(debianPackages.length > 0 ? { command: `apt-get install ${debianPackages.join(' ')}` } : {}),
    },
  );
}
