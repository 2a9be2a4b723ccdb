import { toYaml } from './to-yaml.ts';
import type { ValueKind } from './values.ts';

/** What `init` asks for: a question, what its answer must be, and what it is when there is none. */
export interface InitQuestion {
  readonly name: keyof InitAnswers;
  readonly question: string;
  /** What the answer must be; one of a few words when it is a list. */
  readonly kind: ValueKind | readonly string[];
  /** Taken for an empty answer. Without it, an answer is needed, or may be empty where `isOptional`. */
  readonly preset?: string;
  readonly isOptional?: true;
  /** May be several, with commas between. */
  readonly isList?: true;
  /** Whether it is asked, by what was answered before. */
  readonly isAsked?: (answers: InitAnswers) => boolean;
}

/** What was answered, as text; what was not asked is left out. */
export interface InitAnswers {
  readonly name?: string;
  readonly findBy?: string;
  readonly process?: string;
  readonly source?: string;
  readonly destination?: string;
  readonly connections?: string;
  readonly cidr?: string;
  readonly device?: string;
  readonly files?: string;
  readonly check?: string;
  readonly target?: string;
}

/** How a process is found: the kind of value that it takes, and an example. */
const FIND_BY = {
  pidFile: ['path', 'the file with its process id'],
  unit: ['unit', 'the systemd unit'],
  executable: ['path', 'the path of its program, of which one process runs'],
} as const satisfies Readonly<Record<string, readonly [ValueKind, string]>>;

type FindBy = keyof typeof FIND_BY;

/** In this order. */
export const INIT_QUESTIONS: readonly InitQuestion[] = [
  { name: 'name', question: 'What does it move? A few words for people', kind: 'line' },
  {
    name: 'findBy',
    question: 'How is the process found?',
    kind: Object.keys(FIND_BY),
    preset: 'pidFile',
  },
  ...Object.entries(FIND_BY).map(([findBy, [kind, words]]): InitQuestion => ({
    name: 'process',
    question: `Which is it? It is ${words}`,
    kind,
    isAsked: (answers) => answers.findBy === findBy,
  })),
  { name: 'source', question: 'Where does it run now, as ssh names the host?', kind: 'host' },
  { name: 'destination', question: 'Where will it run?', kind: 'host' },
  {
    name: 'connections',
    question: 'Its open TCP connections: keep them, close them, or refuse to move while there are some',
    kind: ['keep', 'close', 'refuse'],
    preset: 'keep',
  },
  {
    name: 'cidr',
    question:
      'The service address that its clients use, which moves with it, such as 10.0.0.9/24; empty: none',
    kind: 'cidr',
    isOptional: true,
    isAsked: ({ connections }) => connections === 'keep',
  },
  {
    name: 'device',
    question: 'The network device that carries it on both hosts',
    kind: 'device',
    preset: 'eth0',
    isAsked: ({ cidr }) => cidr !== undefined && cidr !== '',
  },
  {
    name: 'files',
    question:
      'Files and directories that it writes and that are not shared, which move with it, separated by commas; empty: none',
    kind: 'moved-path',
    isOptional: true,
    isList: true,
  },
  {
    name: 'check',
    question: 'How is it seen that it works?',
    kind: ['http', 'tcp', 'none'],
    preset: 'tcp',
  },
  {
    name: 'target',
    question: 'The URL that answers with 200 when it works',
    kind: 'url',
    isAsked: ({ check }) => check === 'http',
  },
  {
    name: 'target',
    question: 'The TCP port on which it listens',
    kind: 'port',
    isAsked: ({ check }) => check === 'tcp',
  },
];

/** A recipe from the answers, with a word on each part. Its values are written as YAML, whatever they hold. */
export function newRecipe(answers: InitAnswers): string {
  const { name = '', source = '', destination = '', connections = 'refuse', cidr = '' } = answers;
  const findBy = (answers.findBy ?? 'pidFile') as FindBy;
  const files = (answers.files ?? '')
    .split(',')
    .map((file) => file.trim())
    .filter((file) => file !== '');
  const parts = [
    `# Purpose  ${name}
#
#   criu-flow validate FILE      names each mistake, asks no host
#   criu-flow plan FILE          shows what a run does, step by step; asks no host
#   criu-flow run --check FILE   asks both hosts whether it can be done; changes nothing
#   criu-flow run FILE           does it; -i source=… -i destination=… for other hosts
#
# Undo     ^C, or any failure before the commit, lets it run on where it was. To move it back afterwards: -i source=${destination}
#          -i destination=${source}
version: 1`,
    toYaml({ name }),
    `# Given on the command line, as -i name=value, or these.
${toYaml({
  inputs: {
    source: { type: 'host', description: 'where it runs now', default: source },
    destination: { type: 'host', description: 'where it will run', default: destination },
  },
})}`,
    toYaml({ hosts: { source: '{{ inputs.source }}', destination: '{{ inputs.destination }}' } }),
    `# The process, with all its descendants.
${toYaml({ workload: { process: { [findBy]: literal(answers.process ?? '') } } })}`,
    `# ${CONNECTIONS[connections as keyof typeof CONNECTIONS] ?? ''}
${toYaml({
  network: {
    connections,
    ...(cidr === '' ? {} : { address: { cidr, device: literal(answers.device ?? 'eth0') } }),
  },
})}`,
    ...(files.length === 0
      ? []
      : [
          `# Copied while it runs, the last changes while it is frozen. The source keeps its own.
${toYaml({ files: files.map((path) => ({ path: literal(path) })) })}`,
        ]),
    `# A longer pause ends the run with 7; nothing is moved back.
${toYaml({ objectives: { downtime: '5s' } })}`,
    ...probeOf(answers),
    `steps:
  - uses: preflight # looks, touches nothing
  # Commands of your own may stand between; before the commit each says how it is taken back:
  #   - uses: command
  #     with: { on: source, argv: [systemctl, stop, watchdog] }
  #     rollback:
  #       - uses: command
  #         with: { on: source, argv: [systemctl, start, watchdog] }
  - uses: dump # the pause begins: it is frozen on the source
  - uses: transfer/rsync
  - uses: restore # rebuilt on the destination, not yet running
  - uses: commit # the point of no return: it ends on the source, and runs on the destination`,
  ];
  return `${parts.join('\n\n')}\n`;
}

const CONNECTIONS = {
  keep: 'Its connections move with it. Clients use the service address, never that of a host.',
  close: 'It sees its connections closed.',
  refuse: 'It is not moved while it has TCP connections.',
} as const;

/** Asked before anything is touched, and at the end. */
function probeOf({ check, target = '', cidr = '' }: InitAnswers): readonly string[] {
  if (check !== 'http' && check !== 'tcp') return [];
  // Without an address of its own, it is looked for where it runs.
  const address = cidr === '' ? '127.0.0.1' : (cidr.split('/')[0] ?? '');
  const atAddress = { from: cidr === '' ? 'destination' : 'source' };
  const probe =
    check === 'http'
      ? { http: { url: literal(target) } }
      : { tcp: { address, port: Number(target), ...atAddress } };
  const isEverywhere = check === 'http' || cidr !== '';
  return [
    `# A question that it answers when it works: ${isEverywhere ? 'before anything is touched, and at the end.' : 'at the end.'}
${toYaml({ probes: { works: probe } })}`,
    toYaml({ checks: { ...(isEverywhere ? { before: ['works'] } : {}), after: ['works'] } }),
  ];
}

/** In a place that is rendered as a template, braces of an answer are braces. */
function literal(text: string): string {
  return text.replaceAll(/\{[{%#]/g, (braces) => `{{ "${braces}" }}`);
}
