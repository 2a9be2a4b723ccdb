import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { Finding } from './finding.ts';

/**
 * Prints `criu VERSION`, `model NAME` and `flags NAME…` of the processor, and on the source `image TEXT`, what `criu cpuinfo dump` writes,
 * in base64; on the destination `lacks WHY` when the processor cannot go on with that. A host without criu, or root, is another finding.
 * Argument: on the destination, that text.
 * @see criu(8), cpuinfo and `--cpu-cap`
 */
const SIDE_SCRIPT = `
[ "$(id -u)" = 0 ] && command -v criu > /dev/null || exit 0
criu --version | sed -n 's/^Version: /criu /p'
sed -n 's/^model name[^:]*: /model /p' /proc/cpuinfo | head -n 1
sed -n 's/^flags[^:]*: /flags /p' /proc/cpuinfo | head -n 1
directory=$(mktemp -d) || exit
if [ $# -eq 0 ]; then
  ! criu cpuinfo dump --images-dir "$directory" > /dev/null 2>&1 || echo "image $(base64 -w 0 "$directory/cpuinfo.img")"
elif [ -n "$1" ]; then
  echo "$1" | base64 -d > "$directory/cpuinfo.img"
  said=$(criu cpuinfo check --cpu-cap=fpu,ins --images-dir "$directory" 2>&1) ||
    echo "lacks $(echo "$said" | grep -m 1 Error || echo "$said" | tail -n 1)"
fi
rm -r "$directory"
`;

/** Instructions that programs look for, of what the kernel tells of a processor. */
const INSTRUCTIONS =
  /^(3dnow|abm|adx|aes|amx|avx|bmi|cl(flushopt|wb|zero)|cmov|cx16|erms|f16c|fma|fsgsbase|gfni|hle|misalignsse|mmx|mov(be|dir)|mpx|pclmul|pku|popcnt|rd(pid|rand|seed)|rtm|sha_|sm[34]|sse|ssse|tbm|vaes|vpclmul|xop|xsave)/;

/** How many of those that a processor lacks are named. */
const NAMED_INSTRUCTIONS = 8;

/** Whether what criu dumps on the source can go on where the destination restores it: its criu and its processor. Changes nothing. */
export async function compatibilityFindings(source: Host, destination: Host): Promise<Finding[]> {
  const there = await lookAt(source, []);
  const here = await lookAt(destination, [there.get('image') ?? '']);
  const findings: Finding[] = [];
  const [version, older] = [there.get('criu'), here.get('criu')];
  if (version !== undefined && older !== undefined && isOlder(older, version)) {
    findings.push({
      code: 'CRIU_OLDER',
      host: destination.name,
      message: `criu ${older} on ${destination.name} is older than criu ${version} on ${source.name}: it may not know all that is in the images`,
      remedy: 'Install the same version on both hosts, or a later one on the destination.',
      command: commandOn(destination, ['criu', '--version']),
    });
  }
  const why = here.get('lacks');
  if (why !== undefined) {
    findings.push({
      code: 'CPU_DIFFERS',
      host: destination.name,
      message: `The processor of ${destination.name} (${here.get('model')}) ${howItDiffers(there, here, source.name)}: ${why}`,
      remedy:
        'Choose a destination with the same processor; of virtual machines, give both the same CPU model, one that both of their hosts can be.',
      command: commandOn(destination, ['lscpu']),
    });
  }
  return findings;
}

type Side = ReadonlyMap<string, string>;

/**
 * More registers than on the source are no better than fewer: where functions are bound at their first call, the C library saves all that
 * there are, in as much room as those of the source had.
 * @see CRIU's source, arch/x86/cpu.c (cpu_validate_features); glibc's, dl-trampoline.h
 */
function howItDiffers(there: Side, here: Side, source: string): string {
  const had = `${source} (${there.get('model')})`;
  const has = new Set(here.get('flags')?.split(' '));
  const lacking =
    there
      .get('flags')
      ?.split(' ')
      .filter((flag) => INSTRUCTIONS.test(flag) && !has.has(flag)) ?? [];
  if (lacking.length === 0 && !/xsave|xfeatures/.test(here.get('lacks') ?? ''))
    return `is not that of ${had}`;
  if (lacking.length === 0)
    return `saves other registers than that of ${had}, for which programs that run there have room`;
  const more = lacking.length > NAMED_INSTRUCTIONS ? `, and ${lacking.length - NAMED_INSTRUCTIONS} more` : '';
  return `lacks ${lacking.slice(0, NAMED_INSTRUCTIONS).join(', ')}${more}; a program that has found them on ${had} would be ended by SIGILL`;
}

async function lookAt(host: Host, args: readonly string[]): Promise<Side> {
  const { stdout } = await mustRunScript(host, SIDE_SCRIPT, args, {
    what: 'Looking at criu and the processor',
  });
  return new Map(
    stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [word = '', ...rest] = line.split(' ');
        return [word, rest.join(' ')];
      }),
  );
}

/** Whether a version comes before another one, their last parts, which only mend, aside. criu reads what earlier versions of it wrote. */
function isOlder(version: string, other: string): boolean {
  const [[major = 0, minor = 0], [otherMajor = 0, otherMinor = 0]] = [version, other].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]];
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
