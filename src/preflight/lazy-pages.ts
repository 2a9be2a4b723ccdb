import { commandOn } from '../host/command-on.ts';
import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';
import type { Finding } from './finding.ts';

/**
 * The bytes that criu makes a pipe large for the pages that it serves. A process without CAP_SYS_RESOURCE may have no larger ones than
 * the sysctl says, and criu then fails in the pause (`page-pipe: tee`).
 * @see pipe(7), /proc/sys/fs/pipe-max-size; CRIU's source, page-pipe.c
 */
const PIPE_BYTES = 4 * 1024 ** 2;

/** CAP_SYS_RESOURCE is bit 24. @see capabilities(7); proc_pid_status(5), CapEff */
const PIPE_SCRIPT = `
most=$(cat /proc/sys/fs/pipe-max-size)
capabilities=$(sed -n 's/^CapEff:\\t*//p' /proc/self/status)
[ "$(((0x$capabilities >> 24) & 1))" -eq 1 ] || [ "$most" -ge "$1" ] || echo "$most"
`;

/** What the guard of the memory does, to itself: it has a descriptor of a process twice. @see pidfd_getfd(2) */
const GUARD =
  'use POSIX; use Fcntl; my $pidfd = syscall 434, $$ + 0, 0; exit(syscall(438, $pidfd, 0, 0) < 0)';

/** A host without criu, perl or root, is another finding. @see criu(8), check */
const UFFD_SCRIPT = `
if [ "$(id -u)" = 0 ] && command -v criu > /dev/null; then
  criu check --feature uffd-noncoop > /dev/null 2>&1 || echo uffd
fi
! command -v perl > /dev/null || perl -e '${GUARD}' 2> /dev/null || echo guard
`;

/** Whether memory can be fetched after the commit: what criu needs for it on each host. */
export async function lazyFindings(source: Host, destination: Host): Promise<Finding[]> {
  const what = 'Looking at the kernel';
  const [pipes, uffd] = await Promise.all([
    mustRunScript(source, PIPE_SCRIPT, [String(PIPE_BYTES)], { what }),
    mustRunScript(destination, UFFD_SCRIPT, [], { what }),
  ]);
  const findings: Finding[] = [];
  const most = pipes.stdout.trim();
  if (most !== '') {
    findings.push({
      code: 'PIPES_TOO_SMALL',
      host: source.name,
      message: `A pipe on ${source.name} may have ${most} bytes at most, and criu, which has not CAP_SYS_RESOURCE there, needs ${PIPE_BYTES} for \`strategy: post-copy\` and \`hybrid\``,
      remedy: 'Let pipes be larger there, or take the strategy out.',
      command: commandOn(source, ['sysctl', '-w', `fs.pipe-max-size=${PIPE_BYTES}`]),
    });
  }
  const lacking = uffd.stdout.split('\n');
  if (lacking.includes('guard')) {
    findings.push({
      code: 'PERL_LACKS_MODULES',
      host: destination.name,
      message: `Perl on ${destination.name} cannot have a descriptor of another process (pidfd_getfd, of Linux 5.6), or lacks POSIX or Fcntl, as \`strategy: post-copy\` and \`hybrid\` need`,
      remedy: 'Install all of Perl, or take the strategy out.',
      command: commandOn(destination, ['perl', '-MPOSIX', '-MFcntl', '-e', '1']),
    });
  }
  if (lacking.includes('uffd')) {
    findings.push({
      code: 'NO_USERFAULTFD',
      host: destination.name,
      message: `The kernel of ${destination.name} does not let criu fetch memory as it is asked for (userfaultfd), as \`strategy: post-copy\` and \`hybrid\` need`,
      remedy: 'Take the strategy out; `transfer/stream` makes the pause short, too.',
      command: commandOn(destination, ['criu', 'check', '--feature', 'uffd-noncoop']),
    });
  }
  return findings;
}
