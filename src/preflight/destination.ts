import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import { isPreCopied, type Plan, sharedDirectoryOf } from '../plan/plan.ts';
import { goesToJournal } from '../workload/criu-needs.ts';
import { idsOf, NETWORK_FILE_SYSTEM, type ProcessFacts, type WorkloadFacts } from '../workload/facts.ts';
import type { Finding } from './finding.ts';

/**
 * Compares the destination with what the workload needs, in one round trip. Arguments: the pids, the bytes needed for
 * images, the address and device or two empty strings, the directory whose disk takes the images. On stdin: `use TAB size TAB path` NUL-separated. Prints
 * `taken PID COMMAND`, `room FREE`, `nowhere`, `device`, `address DEVICE` and `differs USE EXPECTED FOUND PATH` records, each
 * ended by NUL.
 */
const COMPARE_SCRIPT = `
for pid in $1; do
  [ ! -d "/proc/$pid" ] || printf 'taken\\t%s\\t%s\\0' "$pid" "$(tr '\\0' ' ' < "/proc/$pid/cmdline")"
done
if [ -d "$5" ]; then
  free=$(df --output=avail -B1 -- "$5" | tail -n 1)
  [ "$free" -ge "$2" ] || printf 'room\\t%s\\0' "$free"
else
  printf 'nowhere\\0'
fi
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
    if [ "$use" = profile ]; then
      # With its mode in parentheses after it.
      PROFILE="$path (" awk "index(\\$0, ENVIRON[\\"PROFILE\\"]) == 1 { found = 1 } END { exit !found }" \\
        /sys/kernel/security/apparmor/profiles 2> /dev/null ||
        printf "differs\\\\tprofile\\\\t-\\\\tmissing\\\\t%s\\\\0" "$path"
      continue
    fi
    if [ "$use" = journal ]; then
      { [ -S "$path" ] && { [ "\${path##*/}" != stdout ] || command -v systemd-cat > /dev/null; }; } ||
        printf "differs\\\\tjournal\\\\t-\\\\tmissing\\\\t%s\\\\0" "$path"
      continue
    fi
    found=$(stat -L -c %s -- "$path" 2> /dev/null) || found=missing
    [ "$found" = "$size" ] || printf "differs\\\\t%s\\\\t%s\\\\t%s\\\\t%s\\\\0" "$use" "$size" "$found" "$path"
  done
' compare
`;

/**
 * What about the destination would make the restore fail. Changes nothing there.
 * @param source where the workload runs; none when it is restored from a checkpoint
 */
export async function destinationFindings(
  destination: Host,
  workload: WorkloadFacts,
  plan: Plan,
  source?: Host,
): Promise<Finding[]> {
  const imageBytes = imageBytesOf(workload, plan);
  const address = plan.network.address;
  const records = [
    ...workload.files
      .filter((file) => !movesWithWorkload(plan, file.path))
      .map((file) => `${file.use}\t${file.sizeBytes}\t${file.path}`),
    ...new Set(
      workload.processes
        .filter(({ workingDirectory: path }) => path !== '' && !movesWithWorkload(plan, path))
        .map((process) => `directory\t-\t${process.workingDirectory}`),
    ),
    ...new Set(workload.processes.flatMap(profilesOf).map((profile) => `profile\t-\t${profile}`)),
    ...new Set(workload.outsideSockets?.filter(goesToJournal).map(({ path }) => `journal\t-\t${path}`)),
  ];
  const { stdout } = await mustRunScript(
    destination,
    COMPARE_SCRIPT,
    [idsOf(workload).join(' '), String(imageBytes), address?.cidr ?? '', address?.device ?? '', roomOf(plan)],
    { what: 'Comparing the destination', stdin: records.map((record) => `${record}\0`).join('') },
  );
  const found = stdout
    .split('\0')
    .filter(Boolean)
    .map((record) => record.split('\t'));
  const differing = source ? await dropShared({ source, destination }, found) : found;
  return differing.map((fields) => toFinding(fields, destination, plan, imageBytes));
}

/** Those of one that is stacked are several. @see apparmor(7), profile stacking */
function profilesOf({ appArmorProfile }: ProcessFacts): readonly string[] {
  return appArmorProfile?.split('//&') ?? [];
}

/** Prints the size of each file, its inode, and the kind of its file system. @see stat(1) */
const LOOK_AGAIN_SCRIPT = `
for path; do
  echo "$(stat -L -c '%s %i' -- "$path" 2> /dev/null || echo missing none) $(stat -f -c %T -- "$path" 2> /dev/null)"
done
`;

/**
 * An open file of a file system that both hosts share is the same on both, but may have grown between two looks: then the
 * destination saw a size between that of a look before and that of one after. Over a network it may have seen an older one, by what it
 * remembers, or because the source has still to write: there the file is known by its inode.
 */
async function dropShared(
  { source, destination }: { readonly source: Host; readonly destination: Host },
  found: readonly (readonly string[])[],
): Promise<readonly (readonly string[])[]> {
  const isOpen = ([kind, use, , size]: readonly string[]): boolean =>
    kind === 'differs' && use === 'open' && /^\d+$/.test(size ?? '');
  const open = found.filter(isOpen);
  if (open.length === 0) return found;
  const paths = open.map(([, , , , ...path]) => path.join('\t'));
  const lookAgain = async (host: Host): Promise<readonly string[]> => {
    const { stdout } = await mustRunScript(host, LOOK_AGAIN_SCRIPT, paths, {
      what: 'Looking at open files again',
    });
    return stdout.split('\n');
  };
  const [onSource, onDestination] = await Promise.all([source, destination].map(lookAgain));
  const isShared = new Set(
    open.filter(([, , before, size], index) => {
      const [after, inode, kind = ''] = onSource?.[index]?.split(' ') ?? [];
      const [, sameInode, sameKind] = onDestination?.[index]?.split(' ') ?? [];
      if (inode === sameInode && kind === sameKind && NETWORK_FILE_SYSTEM.test(kind)) return true;
      const sizes = [Number(before), Number(after)];
      return Math.min(...sizes) <= Number(size) && Number(size) <= Math.max(...sizes);
    }),
  );
  return found.filter((fields) => !isShared.has(fields));
}

/** How much room the images take at most. Those of a checkpoint are there already. */
function imageBytesOf({ processes, ghostBytes = 0 }: WorkloadFacts, plan: Plan): number {
  if (isFromImages(plan)) return 0;
  const memoryBytes = processes.reduce((sum, process) => sum + process.memoryBytes, 0);
  // What is written to between rounds is copied again, and the first copy stays.
  return ghostBytes + (isPreCopied(plan) ? 2 * memoryBytes : memoryBytes);
}

/** The directory whose disk takes the images. */
function roomOf(plan: Plan): string {
  return sharedDirectoryOf(plan) ?? '/var/lib';
}

/** Whether it is restored on a host on which its images were made. */
function isFromImages({ workload }: Plan): boolean {
  return workload.kind === 'checkpoint' || workload.kind === 'revert';
}

function movesWithWorkload(plan: Plan, path: string): boolean {
  return plan.files.some((file) => path === file.path || path.startsWith(`${file.path}/`));
}

function toFinding(fields: readonly string[], host: Host, plan: Plan, imageBytes: number): Finding {
  const [kind = '', first = '', second = '', third = '', ...path] = fields;
  const { name } = host;
  const address = plan.network.address;
  switch (kind) {
    case 'taken':
      return {
        code: 'PID_TAKEN',
        host: name,
        message: `PID ${first} of the workload is taken on ${name} by ${second || 'a kernel thread'}`,
        remedy: isFromImages(plan)
          ? 'A process has its PID again when it is restored: end that process first.'
          : 'A process keeps its PID when it moves: end that process, or choose another destination.',
        command: commandOn(host, ['ps', '-fp', first]),
      };
    case 'room':
      return {
        code: 'NO_ROOM',
        host: name,
        message: `${roomOf(plan)} on ${name} has ${first} bytes free; the images need up to ${imageBytes}`,
        remedy: 'Free some space.',
        command: commandOn(host, ['df', '-h', roomOf(plan)]),
      };
    case 'nowhere':
      return {
        code: 'NO_SHARED_DIRECTORY',
        host: name,
        message: `${name} has no directory ${roomOf(plan)}`,
        remedy: 'Mount the shared file system there, or correct `with.directory` of `transfer/shared`.',
        command: commandOn(host, ['findmnt']),
      };
    case 'device':
      return {
        code: 'NO_DEVICE',
        host: name,
        message: `${name} has no network device ${address?.device}`,
        remedy: 'Correct `network.address.device`.',
        command: commandOn(host, ['ip', 'link', 'show']),
      };
    case 'address':
      return {
        code: 'ADDRESS_TAKEN',
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
      code: 'DIRECTORY_MISSING',
      host: name,
      message: `The working directory ${path} is missing on ${name}`,
      remedy: 'Add it to `files:`, or create it.',
      command: commandOn(host, ['mkdir', '-p', path]),
    };
  }
  if (use === 'profile') {
    return {
      code: 'PROFILE_MISSING',
      host: name,
      message: `The AppArmor profile ${path}, which confines the workload, is not loaded on ${name}`,
      remedy: 'Bring its file to /etc/apparmor.d there, and load it.',
      command: commandOn(host, ['apparmor_parser', '--replace', '--write-cache', '/etc/apparmor.d/']),
    };
  }
  if (use === 'journal') {
    return {
      code: 'NO_JOURNAL',
      host: name,
      message: `The workload writes to the journal of systemd, by ${path}, and ${name} has none, or no systemd-cat`,
      remedy:
        'Start systemd-journald there, or let the workload write somewhere else, as a unit does with `StandardOutput=append:FILE`.',
      command: commandOn(host, ['systemctl', 'status', 'systemd-journald']),
    };
  }
  const code = use === 'mapped' ? 'PROGRAM_DIFFERS' : 'FILE_DIFFERS';
  const what = use === 'mapped' ? 'program or library' : 'open file';
  if (isFromImages(plan)) {
    const now =
      found === 'missing'
        ? `is missing on ${name}`
        : `has ${found} bytes on ${name}, and had ${expected} at the checkpoint`;
    return {
      code,
      host: name,
      message: `The ${what} ${path} ${now}`,
      remedy:
        use === 'mapped'
          ? 'Install the version of then.'
          : 'It was none of the files of the checkpoint: put it back as it was, or restore one that has it.',
    };
  }
  return {
    code,
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
