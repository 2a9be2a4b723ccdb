import type { Health, HostHealth } from '../events/host-health.ts';
import { formatFailure } from './failure.ts';
import { formatFinding } from './format-check.ts';
import { formatBytes, type Paint } from './format.ts';
import { sanitizeLine } from './sanitize.ts';

/** What hosts are ready for, for people; no line feed at the end. */
export function formatHealth({ hosts, ways }: Health, paint: Paint): string {
  const blocks = hosts.map((each) => formatHost(each, paint));
  const bad = ways.filter(({ findings, failure }) => findings.length > 0 || failure);
  const lines = bad.flatMap(({ from, to, findings, failure }) => [
    `${paint('bad', 'not')} from ${sanitizeLine(from)} to ${sanitizeLine(to)}`,
    ...findings.map((finding) => formatFinding(finding, paint)),
    ...(failure ? [formatFailure(failure, { paint })] : []),
  ]);
  const good = ways.length - bad.length;
  if (ways.length > 0 && bad.length === 0)
    lines.push(`${paint('good', 'ways')}  criu and the processor of each fit those of each other one`);
  else if (good > 0)
    lines.push(`On ${good === 1 ? 'the other way' : `the ${good} other ways`} criu and the processors fit.`);
  return [...blocks, ...(lines.length > 0 ? [lines.join('\n')] : [])].join('\n\n');
}

function formatHost({ host, failure, facts, findings }: HostHealth, paint: Paint): string {
  const name = paint('strong', sanitizeLine(host));
  if (failure) return `${name}  ${paint('bad', 'cannot be asked')}\n${formatFailure(failure, { paint })}`;
  const verdict =
    findings.length === 0
      ? paint('good', 'ready')
      : paint('bad', findings.length === 1 ? '1 finding' : `${findings.length} findings`);
  const { system = '', kernel = '', criuVersion = '', freeBytes = 0, tracking, canFetchLater } = facts ?? {};
  const about = [
    system,
    `kernel ${kernel}`,
    criuVersion === '' ? 'no criu' : `criu ${criuVersion}`,
    `${formatBytes(freeBytes)} free`,
  ];
  const strategies = [
    tracking === 'none' ? 'no pre-copy from it' : `pre-copy from it, changes of memory found ${tracking}`,
    canFetchLater ? 'post-copy to it' : 'no post-copy to it',
  ];
  return [
    `${name}  ${verdict}`,
    `  ${sanitizeLine(about.filter(Boolean).join(', '))}`,
    `  ${strategies.join('; ')}`,
    ...findings.map((finding) => formatFinding(finding, paint)),
  ].join('\n');
}
