import { FlowError } from '../errors/flow-error.ts';
import type { Host } from '../host/host.ts';
import { parseRsyncProgress, type TransferProgress } from './progress.ts';

export interface RsyncOptions {
  readonly source: Host;
  /** The ssh_config on the source that names the destination `destination`. */
  readonly sshConfigFile: string;
  readonly from: string;
  readonly to: string;
  /** What kind of content: images are new and hashed by us; files may be there in part. */
  readonly content: 'images' | 'files';
  readonly onProgress?: (progress: TransferProgress) => void;
  readonly signal?: AbortSignal;
  /** Milliseconds. @default one hour */
  readonly timeoutMs?: number;
}

/**
 * Flags for criu's images: all of it is new (`--whole-file`), and the manifest is checked on arrival, so rsync need not
 * hash it as well. The memory of most processes compresses well, and lz4 costs nothing where it does not.
 */
const IMAGE_FLAGS = [
  '--recursive',
  '--perms',
  '--links',
  '--whole-file',
  // Into the room that was reserved, whose file may have the same size and second.
  '--inplace',
  '--ignore-times',
  '--delete',
  '--checksum-choice=none',
  '--compress',
  '--compress-choice=lz4',
];

/**
 * Flags for the workload's files. `--modify-window=-1` compares nanoseconds: without it a file that changed twice
 * within one second, and kept its size, is taken for unchanged.
 * @see rsync(1)
 */
const FILE_FLAGS = ['-aHAXS', '--numeric-ids', '--delete', '--modify-window=-1'];

/** Copies with rsync from the source straight to the destination. */
export async function rsync(options: RsyncOptions): Promise<void> {
  const { source, onProgress } = options;
  const argv = [
    'rsync',
    // Arguments travel inside of rsync's protocol: no remote shell reads a path.
    '--secluded-args',
    ...(options.content === 'images' ? IMAGE_FLAGS : FILE_FLAGS),
    ...(onProgress ? ['--info=progress2', '--no-human-readable', '--no-inc-recursive', '--outbuf=L'] : []),
    '--rsh',
    `ssh -F ${options.sshConfigFile}`,
    '--',
    options.from,
    `destination:${options.to}`,
  ];
  const result = await source.run(argv, {
    timeoutMs: options.timeoutMs ?? 3_600_000,
    ...(options.signal ? { signal: options.signal } : {}),
    ...(onProgress
      ? {
          onLine: (line: string) => {
            const progress = parseRsyncProgress(line);
            if (progress) onProgress(progress);
          },
        }
      : {}),
  });
  if (result.exitCode === 0) return;
  const lines = result.stderr.trim().split('\n');
  throw new FlowError(
    'TRANSFER_FAILED',
    `rsync of ${options.from} from ${source.name} ended with ${result.exitCode}`,
    {
      host: source.name,
      evidence: lines.find((line) => /^(rsync|ssh|@ERROR)/.test(line)) ?? lines[0] ?? '',
      hint: RSYNC_EXITS[result.exitCode] ?? 'rsync(1), EXIT VALUES, says what the code means.',
    },
  );
}

/** @see rsync(1), EXIT VALUES */
const RSYNC_EXITS: Readonly<Record<number, string>> = {
  11: 'A file could not be read or written: is a disk full?',
  12: 'The connection between the hosts broke, or rsync on the destination died.',
  23: 'Some files could not be copied.',
  24: 'Some files vanished while they were copied.',
  30: 'The connection stood still for too long.',
  127: 'Install rsync on both hosts.',
  255: 'The connection between the hosts broke.',
};
