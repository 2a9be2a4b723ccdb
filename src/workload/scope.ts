import type { WorkloadFacts } from './facts.ts';

/** The scope of systemd in which a workload is restored, so that it belongs to no session of ssh, and keeps its limits. */
export interface Scope {
  /** The first one that no unit there has: `video.scope` for what was `video.service`. */
  readonly names: readonly [string, string];
  /** Set once the workload runs. @see systemd.resource-control(5) */
  readonly properties: readonly string[];
}

/**
 * @param attemptId makes a name that no other run has
 * @see systemd-run(1), `--scope`
 */
export function scopeOf(workload: WorkloadFacts, attemptId: string): Scope {
  const cgroup = workload.cgroup?.isShared === false ? workload.cgroup : undefined;
  const unit = /\/([A-Za-z0-9:_.\\@-]+)\.(?:service|scope)$/.exec(cgroup?.path ?? '')?.[1];
  const isOfSession = unit === undefined || /^(session-|user@|init$)/.test(unit) || unit.length > 150;
  const properties = Object.entries(cgroup?.limits ?? {}).flatMap(([file, value]) =>
    propertiesOf(file, value),
  );
  const own = `criu-flow-${attemptId}`;
  return isOfSession
    ? { names: [`${own}.scope`, `${own}-2.scope`], properties }
    : { names: [scopeName(unit), `${own}.scope`], properties };
}

/**
 * No scope can be an instance of a template: of `video@1.service` it is `video\x401.scope`, as systemd writes what a name cannot have.
 * @see systemd-escape(1)
 */
function scopeName(unit: string): string {
  return `${unit.replaceAll('@', String.raw`\x40`)}.scope`;
}

const PROPERTIES: Readonly<Record<string, string>> = {
  'memory.min': 'MemoryMin',
  'memory.low': 'MemoryLow',
  'memory.high': 'MemoryHigh',
  'memory.max': 'MemoryMax',
  'memory.swap.max': 'MemorySwapMax',
  'pids.max': 'TasksMax',
  'cpu.weight': 'CPUWeight',
  'io.weight': 'IOWeight',
};

/** What systemd calls a limit of the kernel. */
function propertiesOf(file: string, value: string): readonly string[] {
  if (file === 'cpu.max') {
    const [quotaUs = 'max', periodUs = ''] = value.split(' ');
    // Older ones take one decimal place.
    const percent = Math.round((Number(quotaUs) / Number(periodUs)) * 1000) / 10;
    return quotaUs === 'max' ? [] : [`CPUQuota=${percent}%`, `CPUQuotaPeriodSec=${periodUs}us`];
  }
  const property = PROPERTIES[file];
  const number = value.replace(/^default /, '');
  // That of `CPUWeight=idle`.
  if (number === '0' && file.endsWith('.weight')) return [];
  return property !== undefined && /^(\d+|max)$/.test(number)
    ? [`${property}=${number === 'max' ? 'infinity' : number}`]
    : [];
}
