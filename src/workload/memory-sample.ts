import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/**
 * Perl that finds pages of some processes which are nobody else's, each as likely as any other. It is Perl, since no shell reads at a
 * place of a file beyond 2 GiB that is none.
 * @see proc_pid_smaps(5), Anonymous; proc_pid_pagemap(5): bit 63 says that a page is in memory, bit 61 that it is of a file or shared
 */
const PAGES = String.raw`
use strict;
use warnings;
no warnings 'portable';
use Fcntl;
use POSIX ();
my $size = POSIX::sysconf(POSIX::_SC_PAGESIZE());

# Each with its process, its first page, its pages, and how many KiB of it are in memory.
sub areas {
  my @areas;
  for my $pid (@_) {
    open my $smaps, '<', "/proc/$pid/smaps" or next;
    my $area;
    while (my $line = <$smaps>) {
      if ($line =~ /^([0-9a-f]+)-([0-9a-f]+) (rw.p)?/) {
        undef $area;
        push @areas, $area = [$pid, hex($1) / $size, (hex($2) - hex($1)) / $size, 0] if defined $3;
      } elsif ($area && $line =~ /^Anonymous: +(\d+)/) {
        $area->[3] = $1;
      }
    }
  }
  return grep { $_->[3] > 0 } @areas;
}

my %open;
sub part {
  my ($pid, $name, $place, $length) = @_;
  unless ($open{"$pid/$name"}) { sysopen $open{"$pid/$name"}, "/proc/$pid/$name", O_RDONLY or return '' }
  my $file = $open{"$pid/$name"};
  my $data = '';
  sysseek $file, $place, 0 and sysread $file, $data, $length;
  return $data;
}

sub a_page {
  my ($total, @areas) = @_;
  my $rest = rand $total;
  my ($pid, $first, $pages);
  for my $area (@areas) {
    ($pid, $first, $pages) = @$area;
    last if ($rest -= $area->[3]) < 0;
  }
  for my $begin (int rand $pages, 0) {
    my $most = $pages - $begin < 4096 ? $pages - $begin : 4096;
    my @entries = unpack 'Q<*', part($pid, 'pagemap', 8 * ($first + $begin), 8 * $most);
    for my $index (0 .. $#entries) {
      return ($pid, $first + $begin + $index, $#entries - $index + 1) if $entries[$index] >> 61 == 4;
    }
  }
  return;
}
`;

/** Writes stretches of 256 KiB to a file, and prints how many bytes. Arguments: the file, the most bytes, the pids. */
const SAMPLE_PROGRAM = `${PAGES}${String.raw`
my ($file, $most, @pids) = @ARGV;
my @areas = areas(@pids);
my $total = 0;
$total += $_->[3] for @areas;
$most = 1024 * $total if $most > 1024 * $total;
umask 077;
sysopen my $out, $file, O_WRONLY | O_CREAT | O_EXCL or die "$file: $!\n";
my ($done, $tries) = (0, 0);
while ($done < $most && $tries++ < 100_000) {
  my ($pid, $page, $left) = a_page($total, @areas) or next;
  my $length = $left * $size < 262_144 ? $left * $size : 262_144;
  $length = $most - $done if $length > $most - $done;
  my $data = part($pid, 'mem', $page * $size, $length);
  my $written = syswrite $out, $data;
  defined $written or die "$file: $!\n";
  $done += $written;
}
close $out or die "$file: $!\n";
print "$done\n";
`}`;

/**
 * Prints how many bytes there are, and then, at each of some times, in milliseconds, which part of them has another content than at the
 * beginning. Arguments: the pids.
 */
const WATCH_PROGRAM = `${PAGES}${String.raw`
use constant { SAMPLES => 2048 };
sub now { open my $uptime, '<', '/proc/uptime' or die "/proc/uptime: $!\n"; return 1000 * (split ' ', <$uptime>)[0] }
my @areas = areas(@ARGV);
my $total = 0;
$total += $_->[3] for @areas;
my @same;
for (1 .. SAMPLES) {
  my ($pid, $page) = $total ? a_page($total, @areas) : ();
  push @same, [$pid, $page, part($pid, 'mem', $page * $size, $size)] if defined $page;
}
my ($began, $count) = (now(), scalar @same);
print 1024 * $total, "\n";
for my $after (250, 500, 1000, 2000) {
  my $wait = $began + $after - now();
  select undef, undef, undef, $wait / 1000 if $wait > 0;
  my $at = now() - $began;
  @same = grep { part($_->[0], 'mem', $_->[1] * $size, $size) eq $_->[2] } @same;
  printf "%d %.6f\n", $at, $count ? 1 - @same / $count : 0;
}
`}`;

const TIMEOUT_MS = 60_000;

/**
 * Writes a sample of the memory of some processes to a file (mode 0600) in a directory that is there, while they run. It is as secret as they are.
 * @param mostBytes the sample has less when they have
 * @returns its size in bytes
 * @throws FlowError COMMAND_FAILED, and what Host.run throws
 */
export async function writeMemorySample(
  host: Host,
  pids: readonly number[],
  {
    file,
    mostBytes,
    signal,
  }: { readonly file: string; readonly mostBytes: number; readonly signal: AbortSignal },
): Promise<number> {
  const { stdout } = await mustRunScript(
    host,
    RUN_PERL,
    [SAMPLE_PROGRAM, file, String(mostBytes), ...pids.map(String)],
    { what: 'Reading a sample of the memory', timeoutMs: TIMEOUT_MS, signal },
  );
  return Number(stdout);
}

/** How much of their memory processes have written to. */
export interface WrittenMemory {
  /** Of all that they have for themselves. */
  readonly sizeBytes: number;
  /** By the time since the beginning, the shortest first: bytes of pages that had another content by then. */
  readonly changed: readonly { readonly withinMs: number; readonly sizeBytes: number }[];
}

/**
 * Looks for two seconds how much of their memory some processes write to, by a sample of 2048 pages: of 1 GiB, to about 20 MiB. What is written
 * again as it was, or is shared with others, is not seen. The processes run on meanwhile, and no kernel lacks what it takes.
 * @throws FlowError COMMAND_FAILED, and what Host.run throws
 */
export async function watchMemory(
  host: Host,
  pids: readonly number[],
  signal: AbortSignal,
): Promise<WrittenMemory> {
  const { stdout } = await mustRunScript(host, RUN_PERL, [WATCH_PROGRAM, ...pids.map(String)], {
    what: 'Watching the memory',
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  const [size, ...times] = stdout.trim().split('\n');
  const sizeBytes = Number(size);
  const changed = times.map((line) => {
    const [withinMs = 0, part = 0] = line.split(' ').map(Number);
    return { withinMs, sizeBytes: Math.round(part * sizeBytes) };
  });
  return { sizeBytes, changed };
}

/** Arguments: the program, its own. */
const RUN_PERL = 'exec perl -e "$@"';
