import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { Finding } from './finding.ts';

/**
 * Prints `criu VERSION`, `model NAME` and `flags NAME…` of the processor, and on the source `image TEXT`, what `criu cpuinfo dump` writes,
 * in base64; on the destination `lacks WHY` when the processor cannot go on with that. A host without criu, or root, is another finding.
 * Argument: on the destination, that text.
 * @see criu(8), cpuinfo and \`--cpu-cap\`
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

/** How many of the features that a processor lacks are named. */
const NAMED_FEATURES = 8;

/** Whether what criu dumps on the source can go on where the destination restores it: its criu and its processor. Changes nothing. */
export async function compatibilityFindings(source: Host, destination: Host): Promise<Finding[]> {
  const there = await lookAt(source, []);
  const here = await lookAt(destination, [there.get('image') ?? '']);
  const findings: Finding[] = [];
  const [version, older] = [there.get('criu'), here.get('criu')];
  if (version !== undefined && older !== undefined && isOlder(older, version)) {
    findings.push({
      host: destination.name,
      message: `criu ${older} on ${destination.name} is older than criu ${version} on ${source.name}: it may not know all that is in the images`,
      remedy: 'Install the same version on both hosts, or a later one on the destination.',
      command: commandOn(destination, ['criu', '--version']),
    });
  }
  const why = here.get('lacks');
  if (why !== undefined) {
    const had = new Set(here.get('flags')?.split(' '));
    const lacking =
      there
        .get('flags')
        ?.split(' ')
        .filter((feature) => !had.has(feature)) ?? [];
    const more = lacking.length > NAMED_FEATURES ? `, and ${lacking.length - NAMED_FEATURES} more` : '';
    const features =
      lacking.length > 0 ? `lacks ${lacking.slice(0, NAMED_FEATURES).join(', ')}${more}` : 'is another';
    findings.push({
      host: destination.name,
      message: `The processor of ${destination.name} (${here.get('model')}) ${features}; a program that has found them on ${source.name} (${there.get('model')}) would be ended by SIGILL: ${why}`,
      remedy:
        'Choose a destination whose processor has all that the source’s has; of virtual machines, give both the same CPU model.',
      command: commandOn(destination, ['lscpu']),
    });
  }
  return findings;
}

async function lookAt(host: Host, args: readonly string[]): Promise<ReadonlyMap<string, string>> {
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
