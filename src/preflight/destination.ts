import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { Plan } from '../plan/plan.ts';
import { idsOf, type WorkloadFacts } from '../workload/facts.ts';
import type { Finding } from './finding.ts';

/**
 * Compares the destination with what the workload needs, in one round trip. Arguments: the pids, the bytes needed for
 * images, the address and device or two empty strings. On stdin: `use TAB size TAB path` NUL-separated. Prints
 * `taken PID COMMAND`, `room FREE`, `device`, `address DEVICE` and `differs USE EXPECTED FOUND PATH` records, each
 * ended by NUL.
 */
const COMPARE_SCRIPT = `
for pid in $1; do
  [ ! -d "/proc/$pid" ] || printf 'taken\\t%s\\t%s\\0' "$pid" "$(tr '\\0' ' ' < "/proc/$pid/cmdline")"
done
free=$(df --output=avail -B1 /var/lib | tail -n 1)
[ "$free" -ge "$2" ] || printf 'room\\t%s\\0' "$free"
if [ -n "$3" ]; then
  [ -d "/sys/class/net/$4" ] || printf 'device\\0'
  at=$(ip -o address show to "\${3%/*}" 2> /dev/null | awk '{ print $2; exit }')
  [ -z "$at" ] || printf 'address\\t%s\\0' "$at"
fi
xargs -0 -r -n 64 sh -c '
  for record; do
    use=\${record%%	*} rest=\${record#*	}
    size=\${rest%%	*} path=\${rest#*	}
    if [ "$use" = directory ]; then
      [ -d "$path" ] || printf "differs\\\\tdirectory\\\\t-\\\\tmissing\\\\t%s\\\\0" "$path"
      continue
    fi
    found=$(stat -L -c %s -- "$path" 2> /dev/null) || found=missing
    [ "$found" = "$size" ] || printf "differs\\\\t%s\\\\t%s\\\\t%s\\\\t%s\\\\0" "$use" "$size" "$found" "$path"
  done
' compare
`;

/** What about the destination would make the restore fail. Changes nothing there. */
export async function destinationFindings(
  destination: Host,
  workload: WorkloadFacts,
  plan: Plan,
): Promise<Finding[]> {
  const memoryBytes = workload.processes.reduce((sum, process) => sum + process.memoryBytes, 0);
  const address = plan.network.address;
  const records = [
    ...workload.files
      .filter((file) => !movesWithWorkload(plan, file.path))
      .map((file) => `${file.use}\t${file.sizeBytes}\t${file.path}`),
    ...new Set(
      workload.processes
        .filter((process) => !movesWithWorkload(plan, process.workingDirectory))
        .map((process) => `directory\t-\t${process.workingDirectory}`),
    ),
  ];
  const { stdout } = await mustRunScript(
    destination,
    COMPARE_SCRIPT,
    // The images of a checkpoint are there already.
    [
      idsOf(workload).join(' '),
      isFromImages(plan) ? '0' : String(memoryBytes),
      address?.cidr ?? '',
      address?.device ?? '',
    ],
    { what: 'Comparing the destination', stdin: records.map((record) => `${record}\0`).join('') },
  );
  return stdout
    .split('\0')
    .filter(Boolean)
    .map((record) => toFinding(record.split('\t'), destination, plan, memoryBytes));
}

/** Whether it is restored on a host on which its images were made. */
function isFromImages({ workload }: Plan): boolean {
  return workload.kind === 'checkpoint' || workload.kind === 'revert';
}

function movesWithWorkload(plan: Plan, path: string): boolean {
  return plan.files.some((file) => path === file.path || path.startsWith(`${file.path}/`));
}

function toFinding(fields: readonly string[], host: Host, plan: Plan, memoryBytes: number): Finding {
  const [kind = '', first = '', second = '', third = '', ...path] = fields;
  const { name } = host;
  const address = plan.network.address;
  switch (kind) {
    case 'taken':
      return {
        host: name,
        message: `PID ${first} of the workload is taken on ${name} by ${second || 'a kernel thread'}`,
        remedy: isFromImages(plan)
          ? 'A process has its PID again when it is restored: end that process first.'
          : 'A process keeps its PID when it moves: end that process, or choose another destination.',
        command: commandOn(host, ['ps', '-fp', first]),
      };
    case 'room':
      return {
        host: name,
        message: `/var/lib on ${name} has ${first} bytes free; the images need up to ${memoryBytes}`,
        remedy: 'Free some space.',
        command: commandOn(host, ['df', '-h', '/var/lib']),
      };
    case 'device':
      return {
        host: name,
        message: `${name} has no network device ${address?.device}`,
        remedy: 'Correct `network.address.device`.',
        command: commandOn(host, ['ip', 'link', 'show']),
      };
    case 'address':
      return {
        host: name,
        message: `${address?.cidr} is on ${first} of ${name} already`,
        remedy: 'Two hosts with the service address answer for each other: take it off there.',
        command: commandOn(host, ['ip', 'address', 'del', address?.cidr ?? '', 'dev', first]),
      };
    default:
      return differs(host, plan, first, second, third, path.join('\t'));
  }
}

function differs(
  host: Host,
  plan: Plan,
  use: string,
  expected: string,
  found: string,
  path: string,
): Finding {
  const { name } = host;
  if (use === 'directory') {
    return {
      host: name,
      message: `The working directory ${path} is missing on ${name}`,
      remedy: 'Add it to `files:`, or create it.',
      command: commandOn(host, ['mkdir', '-p', path]),
    };
  }
  const what = use === 'mapped' ? 'program or library' : 'open file';
  if (isFromImages(plan)) {
    const now =
      found === 'missing'
        ? `is missing on ${name}`
        : `has ${found} bytes on ${name}, and had ${expected} at the checkpoint`;
    return {
      host: name,
      message: `The ${what} ${path} ${now}`,
      remedy:
        use === 'mapped'
          ? 'Install the version of then.'
          : 'It was none of the files of the checkpoint: put it back as it was, or restore one that has it.',
    };
  }
  return {
    host: name,
    message:
      found === 'missing'
        ? `The ${what} ${path} is missing on ${name}`
        : `The ${what} ${path} has ${found} bytes on ${name} and ${expected} on the source`,
    remedy:
      use === 'mapped'
        ? 'Install the same version on both hosts.'
        : 'Add it, or its directory, to `files:` so that it moves with the workload.',
  };
}
