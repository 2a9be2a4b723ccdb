import { rm } from 'node:fs/promises';
import { makeControlDirectory } from '../../host/control-directory.ts';
import { configFile } from '../ssh-config-file.ts';

export interface DoctorCommandOptions {
  readonly json?: boolean;
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
}

/** `criu-flow doctor`: whether hosts are ready for moves, and from which to which. @returns 0, or 4 when something is to be done */
export async function doctorCommand(
  hostNames: readonly string[],
  options: DoctorCommandOptions,
): Promise<number> {
  const [{ connectHost }, { examine }] = await Promise.all([
    import('../../host/connect.ts'),
    import('../../preflight/doctor.ts'),
  ]);
  const sshConfigFile = await configFile(options);
  const controlDirectory = await makeControlDirectory();
  const connected = await Promise.all(
    [...new Set(hostNames)].map(async (name) => {
      try {
        const how = { controlDirectory, ...(sshConfigFile === undefined ? {} : { sshConfigFile }) };
        return { name, host: await connectHost(name, how) };
      } catch (error) {
        return { name, error };
      }
    }),
  );
  try {
    const health = await examine(connected);
    if (options.json) {
      const { toSafeJson } = await import('../../report/sanitize.ts');
      process.stdout.write(`${toSafeJson(health)}\n`);
    } else {
      const [{ formatHealth }, { createPaint, wantsColor }] = await Promise.all([
        import('../../report/format-health.ts'),
        import('../../report/format.ts'),
      ]);
      const paint = createPaint(wantsColor(process.env, process.stdout));
      process.stdout.write(`${formatHealth(health, paint)}\n`);
    }
    const isReady = health.hosts.every(({ failure, findings }) => !failure && findings.length === 0);
    return isReady && health.ways.every(({ findings, failure }) => !failure && findings.length === 0)
      ? 0
      : NOT_READY;
  } finally {
    await Promise.all(connected.map(async ({ host }) => host?.close()));
    await rm(controlDirectory, { recursive: true, force: true });
  }
}

/** As a run that preflight refuses. */
const NOT_READY = 4;
