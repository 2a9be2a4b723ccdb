import { configFile } from '../ssh-config-file.ts';

export interface StatusCommandOptions {
  readonly lab?: string | undefined;
  readonly sshConfig?: string | undefined;
  readonly json?: true | undefined;
}

/** `criu-flow status`: where the workload of a run is alive. @returns 0 when nothing is left to do, else 6 */
export async function statusCommand(name: string, options: StatusCommandOptions): Promise<number> {
  const [{ readRun }, { findRun }, { inspectRun }, { sanitizeLine, toSafeJson }] = await Promise.all([
    import('../../store/read-run.ts'),
    import('../../store/list-runs.ts'),
    import('../../engine/inspect-run.ts'),
    import('../../report/sanitize.ts'),
  ]);
  const truth = await inspectRun(readRun(findRun(name)), await configFile(options));
  if (options.json) {
    process.stdout.write(`${toSafeJson(truth)}\n`);
  } else {
    const lines = [
      truth.sentence,
      ...[truth.source, truth.destination].flatMap(({ host, failure }) =>
        failure ? [`  ${host}: ${failure.message}`] : [],
      ),
      ...(truth.command === undefined ? [] : [`  next: ${truth.command}`]),
    ];
    process.stdout.write(`${lines.map(sanitizeLine).join('\n')}\n`);
  }
  return truth.standing === 'on-source' || truth.standing === 'on-destination' ? 0 : 6;
}
