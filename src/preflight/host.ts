import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript, runScript } from '../host/shell.ts';
import type { Finding } from './finding.ts';
import { installCommand } from './packages.ts';

/**
 * Prints `uid N`, `os ID…` and `missing TOOL`, `rsync VERSION` for one without lz4, `old VERSION` of criu, and criu's own verdict. Arguments: the tools.
 * @see os-release(5); CRIU's source, config.c: `--network-lock nftables` is since 3.16
 */
const HOST_SCRIPT = `
echo "uid $(id -u)"
echo "os $( (. /etc/os-release && echo "$ID $ID_LIKE") 2> /dev/null)"
for tool in "$@"; do command -v "$tool" > /dev/null || echo "missing $tool"; done
if command -v rsync > /dev/null; then
  rsync --version | grep -qw lz4 || echo "rsync $(rsync --version | head -n 1)"
fi
if [ "$(id -u)" = 0 ] && command -v criu > /dev/null; then
  criu --version | awk '$1 == "Version:" { split($2, part, "."); if (part[1] * 1000 + part[2] < 3016) print "old " $2 }'
  said=$(criu check 2>&1) || echo "criu $(echo "$said" | grep -m 1 Error || echo "$said" | tail -n 1)"
fi
`;

/** Whether criu-flow can work on a host at all: root, the tools, a criu that works on its kernel. */
export async function hostFindings(host: Host, tools: readonly string[]): Promise<Finding[]> {
  const { stdout } = await mustRunScript(host, HOST_SCRIPT, tools, { what: 'Looking at the host' });
  const findings: Finding[] = [];
  const missing: string[] = [];
  let ids: readonly string[] = [];
  for (const line of stdout.split('\n')) {
    const [word, ...rest] = line.split(' ');
    const value = rest.join(' ');
    if (word === 'uid' && value !== '0') {
      findings.push({
        code: 'NOT_ROOT',
        host: host.name,
        message: `criu-flow is not root on ${host.name} (uid ${value})`,
        remedy: 'criu needs root: connect as root.',
      });
    }
    if (word === 'missing') missing.push(value);
    if (word === 'os') ids = rest;
    if (word === 'old') {
      findings.push({
        code: 'CRIU_TOO_OLD',
        host: host.name,
        message: `criu on ${host.name} is ${value}, and 3.16 is the first that locks a network with nftables`,
        remedy: 'Install a later criu.',
        command: commandOn(host, ['criu', '--version']),
      });
    }
    if (word === 'rsync') {
      findings.push({
        code: 'RSYNC_TOO_OLD',
        host: host.name,
        message: `rsync on ${host.name} cannot compress with lz4: ${value}`,
        remedy: 'Install rsync 3.2.7 or later.',
        command: commandOn(host, ['rsync', '--version']),
      });
    }
    if (word === 'criu') {
      findings.push({
        code: 'CRIU_UNUSABLE',
        host: host.name,
        message: `criu does not work on the kernel of ${host.name}: ${value}`,
        remedy: 'Install a criu that knows this kernel.',
        command: commandOn(host, ['criu', 'check', '--all']),
      });
    }
  }
  if (missing.length > 0) {
    findings.push({
      code: 'TOOLS_MISSING',
      host: host.name,
      message: `${host.name} lacks ${missing.join(', ')}`,
      remedy: 'Install what is missing.',
      command: commandOn(host, installCommand(ids, missing)),
    });
  }
  return findings;
}

/** Whether the kernel there can say what memory was written to, as copies of the memory while the workload runs need. */
export async function trackingFindings(host: Host): Promise<Finding[]> {
  const { stdout } = await mustRunScript(host, TRACKING_SCRIPT, [], { what: 'Looking at the kernel' });
  if (stdout.trim() !== 'no') return [];
  return [
    {
      code: 'MEMORY_NOT_TRACKED',
      host: host.name,
      message: `The kernel of ${host.name} does not track what memory is written to (CONFIG_MEM_SOFT_DIRTY), as \`strategy: hybrid\` needs`,
      remedy:
        'Use `pre-copy`, for which the memory is compared there, or `post-copy`. Debian’s kernels for x86-64 track it.',
      command: commandOn(host, ['criu', 'check', '--feature', 'mem_dirty_track']),
    },
  ];
}

/**
 * Whether memory can be copied in rounds: a kernel that does not track it leaves that to Perl, unless what is left is fetched after the
 * commit, by criu itself.
 */
export async function roundsFindings(host: Host, isPostCopied: boolean): Promise<Finding[]> {
  const untracked = await trackingFindings(host);
  if (untracked.length === 0 || isPostCopied) return untracked;
  const { exitCode } = await runScript(host, 'perl -MPOSIX -MFcntl -MSocket -e 1 2> /dev/null');
  if (exitCode === 0) return [];
  return [
    {
      code: 'PERL_LACKS_MODULES',
      host: host.name,
      message: `The kernel of ${host.name} does not track what memory is written to (CONFIG_MEM_SOFT_DIRTY), and there is no Perl with POSIX, Fcntl and Socket, which would compare it`,
      remedy: 'Install Perl, or take the strategy out.',
      command: commandOn(host, ['perl', '-MPOSIX', '-MFcntl', '-MSocket', '-e', '1']),
    },
  ];
}

/** A host without criu, or root, is another finding. @see criu(8), check */
const TRACKING_SCRIPT = `
if [ "$(id -u)" = 0 ] && command -v criu > /dev/null; then
  criu check --feature mem_dirty_track > /dev/null 2>&1 || echo no
fi
`;
