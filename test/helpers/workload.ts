import type { ProcessFacts, WorkloadFacts } from '../../src/workload/facts.ts';

/** What could be known of a workload, the root first: each process is as plain as can be, but for what is given. */
export function workloadOf(...processes: readonly Partial<ProcessFacts>[]): WorkloadFacts {
  const facts = processes.map((process) => ({
    pid: 10,
    parentPid: 1,
    processGroup: 10,
    session: 10,
    startTicks: 1,
    threads: [],
    memoryBytes: 0,
    command: 'program',
    executable: '/usr/bin/program',
    workingDirectory: '/',
    ...process,
  }));
  return { rootPid: facts[0]?.pid ?? 0, processes: facts, files: [], connections: [] };
}
