import type { Host } from '../host/host.ts';
import { mustRunScript } from '../host/shell.ts';

/**
 * Perl that finds pages of some processes which are nobody else's, each as likely as any other: a place in an area is taken by chance, and again
 * when no page is there. It is Perl, since no shell reads at a place of a file.
 * @see proc_pid_smaps(5), Anonymous; proc_pid_pagemap(5): bit 63 says that a page is in memory, bit 61 that it is of a file or shared
 */
const PAGES = String.raw`
use strict;
use warnings;
no warnings 'portable';
use Fcntl;
use POSIX ();
use constant { MOST_OPEN => 400, MOST_TRIES => 400_000 };
my $size = POSIX::sysconf(POSIX::_SC_PAGESIZE());

# Areas that can be written to, each with its process, its first page and its pages; and bytes, of all memory of their own, of such as is shared,
# and of huge pages. The first is a list of how many bytes there are up to each of them, for a search.
my (@areas, @sums);
my ($private, $writable, $shared, $huge) = (0, 0, 0, 0);
sub look_at {
  for my $pid (@_) {
    open my $smaps, '<', "/proc/$pid/smaps" or next;
    my ($area, $may_write);
    while (my $line = <$smaps>) {
      if ($line =~ /^([0-9a-f]+)-([0-9a-f]+) .(.).(.)/) {
        ($area, $may_write) = ([$pid, hex($1) / $size, (hex($2) - hex($1)) / $size], $3 eq 'w');
        undef $area if $4 ne 'p';
      } elsif ($area && $line =~ /^(Anonymous|Swap): +(\d+)/) {
        $private += 1024 * $2;
        next unless $may_write && $1 eq 'Anonymous' && $2 > 0;
        push @areas, $area;
        push @sums, $writable += 1024 * $2;
      }
    }
    open my $status, '<', "/proc/$pid/status" or next;
    while (my $line = <$status>) {
      # Processes that share it have the same.
      if ($line =~ /^RssShmem:\s+(\d+)/) { $shared = 1024 * $1 if 1024 * $1 > $shared }
      elsif ($line =~ /^HugetlbPages:\s+(\d+)/) { $huge += 1024 * $1 }
    }
  }
}

my %open;
sub part {
  my ($pid, $name, $place, $length) = @_;
  my $file = $open{"$pid/$name"};
  unless ($file) {
    sysopen $file, "/proc/$pid/$name", O_RDONLY or return '';
    %open = () if keys %open >= MOST_OPEN;
    $open{"$pid/$name"} = $file;
  }
  my $data = '';
  sysseek $file, $place, 0 and sysread $file, $data, $length;
  return $data;
}

my $tries = 0;
# The process, the page, and how many that follow at once are there as well, at most.
sub a_page {
  my ($most) = @_;
  while ($writable > 0 && $tries++ < MOST_TRIES) {
    my ($at, $from, $to) = (rand $writable, 0, $#sums);
    while ($from < $to) {
      my $middle = int(($from + $to) / 2);
      if ($sums[$middle] > $at) { $to = $middle } else { $from = $middle + 1 }
    }
    my ($pid, $first, $pages) = @{ $areas[$from] };
    my $place = int rand $pages;
    my $left = $pages - $place < $most ? $pages - $place : $most;
    my $count = 0;
    for my $entry (unpack 'Q*', part($pid, 'pagemap', 8 * ($first + $place), 8 * $left)) {
      last if $entry >> 61 != 4;
      $count++;
    }
    return ($pid, $first + $place, $count) if $count > 0;
  }
  return;
}
`;

/** Writes stretches of 256 KiB to a file, and prints how many bytes. Arguments: the file, the most bytes, the pids. */
const SAMPLE_PROGRAM = `${PAGES}${String.raw`
my ($file, $most, @pids) = @ARGV;
look_at(@pids);
$most = $writable if $most > $writable;
umask 077;
sysopen my $out, $file, O_WRONLY | O_CREAT | O_EXCL or die "$file: $!\n";
my $done = 0;
while ($done < $most) {
  my ($pid, $page, $count) = a_page(262_144 / $size) or last;
  my $length = $count * $size < $most - $done ? $count * $size : $most - $done;
  my $written = syswrite $out, part($pid, 'mem', $page * $size, $length);
  defined $written or die "$file: $!\n";
  $done += $written;
}
close $out or die "$file: $!\n";
print "$done\n";
`}`;

/**
 * Prints how many bytes the processes have for themselves, share, and have of huge pages; and then, at each of some times, in milliseconds, how many
 * of the first have another content than at the beginning. Arguments: the pids.
 */
const WATCH_PROGRAM = `${PAGES}${String.raw`
use constant { SAMPLES => 2048, FEW => 3 };
sub now { open my $uptime, '<', '/proc/uptime' or die "/proc/uptime: $!\n"; return 1000 * (split ' ', <$uptime>)[0] }
look_at(@ARGV);
my $looked = now();
my @same;
while (@same < SAMPLES) {
  my ($pid, $page) = a_page(1) or last;
  my $data = part($pid, 'mem', $page * $size, $size);
  push @same, [$pid, $page, $data] if $data ne '';
}
# Some were read before, some after.
my ($began, $count) = (($looked + now()) / 2, scalar @same);
print "$private $shared $huge\n";
for my $after (250, 500, 1000, 2000) {
  my $wait = $began + $after - now();
  select undef, undef, undef, $wait / 1000 if $wait > 0;
  my $at = now() - $began;
  @same = grep { part($_->[0], 'mem', $_->[1] * $size, $size) eq $_->[2] } @same;
  # Of few that changed, it may as well have been some more.
  my $changed = $count ? ($count - @same + FEW) / $count : 0;
  printf "%d %d\n", $at, $writable * ($changed < 1 ? $changed : 1);
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

/** What memory some processes have, and how much of it they have written to. */
export interface WatchedMemory {
  /** What they have for themselves, in memory and on swap. */
  readonly privateBytes: number;
  /** What can be shared among them and with others, files apart. */
  readonly sharedBytes: number;
  readonly hugePagesBytes: number;
  /** By the time since the beginning, the shortest first: bytes of their own pages that had another content by then, or may have had. */
  readonly changed: readonly { readonly withinMs: number; readonly sizeBytes: number }[];
}

/**
 * Looks for two seconds how much of the memory that is theirs some processes write to, by a sample of 2048 pages: of 1 GiB, to about 20 MiB. What is
 * written again as it was is not seen, and a kernel that tracks changes by huge pages sees more than that. The processes run on meanwhile.
 * @throws FlowError COMMAND_FAILED, and what Host.run throws
 */
export async function watchMemory(
  host: Host,
  pids: readonly number[],
  signal: AbortSignal,
): Promise<WatchedMemory> {
  const { stdout } = await mustRunScript(host, RUN_PERL, [WATCH_PROGRAM, ...pids.map(String)], {
    what: 'Watching the memory',
    timeoutMs: TIMEOUT_MS,
    signal,
  });
  const [[privateBytes = 0, sharedBytes = 0, hugePagesBytes = 0] = [], ...times] = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const changed = times.map(([withinMs = 0, sizeBytes = 0]) => ({ withinMs, sizeBytes }));
  return { privateBytes, sharedBytes, hugePagesBytes, changed };
}

/** Arguments: the program, its own. */
const RUN_PERL = 'exec perl -e "$@"';
