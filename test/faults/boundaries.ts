/** A moment between two steps of a migration, or between two phases of one: the event with which it begins. */
export interface Boundary {
  /** For the table: what comes next. */
  readonly title: string;
  /** As pause.mjs reads it: the kind of the event, then its step or phase. */
  readonly event: string;
}

/** Of the recipe in {@link STEPS}. */
export const BOUNDARIES: readonly Boundary[] = [
  { title: 'lock', event: 'step-started lock' },
  { title: 'preflight', event: 'step-started 1-preflight' },
  { title: 'prepare', event: 'step-started prepare' },
  { title: 'dump', event: 'step-started 2-dump' },
  { title: 'freeze', event: 'phase-started freeze' },
  { title: 'transfer', event: 'step-started 3-transfer' },
  { title: 'restore', event: 'step-started 4-restore' },
  { title: 'commit', event: 'step-started 5-commit' },
  { title: 'release', event: 'phase-started release' },
  { title: 'verify', event: 'step-started 6-verify' },
  { title: 'clean-up', event: 'step-started clean-up' },
  { title: 'end', event: 'step-finished clean-up' },
];

/** How the images travel, where each host has its own. */
export type Transfer = 'transfer/rsync' | 'transfer/sftp' | 'transfer/stream';

/**
 * @param address of the service, without its prefix length
 * @param transfer how the images travel
 */
export function steps(address: string, transfer: Transfer = 'transfer/rsync'): string {
  return [
    '- uses: preflight',
    '- uses: dump',
    `- uses: ${transfer}`,
    '- uses: restore',
    '- uses: commit',
    `- { uses: verify, with: { checks: [{ tcp: { address: ${address}, port: 7000, from: source } }] } }`,
  ].join('\n');
}
