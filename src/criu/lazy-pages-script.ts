import { BOOT_FUNCTION } from '../host/boot-function.ts';

/**
 * What a hold's directory has as `lazy-pages.pl` when the memory of what it restores is fetched as it is asked for. It starts
 * `criu lazy-pages`, becomes `criu restore` once that can be asked, and leaves a process beside it, the guard.
 *
 * The kernel fills what was not fetched with zeros when the last userfaultfd of a task is closed: a daemon that dies would have the
 * workload go on with wrong memory. So the guard has every one of them open, too; when the daemon fails, whoever asks for memory waits,
 * and the guard ends the workload before it closes them. What a task forks has its own, which the daemon is told of: those are looked for
 * fifty times in a second, and let go of as soon as the daemon has. Whoever was forked since the last look is not guarded.
 *
 * Arguments: the hold's directory, how many words criu lazy-pages has, these, then criu restore and its words. Files in that directory:
 *
 *     guard         the guard's pid and start time (field 22 of /proc/PID/stat), and the daemon's pid; it leads a session, with both
 *     guard.lock    held with flock(2) as long as the guard lives
 *     ask, answer   FIFOs: who writes to the first is told at the second when the guard has them all
 *     fetched       `yes`, or `no` and how the daemon ended (as waitpid(2) tells it)
 *
 * It is Perl, since it takes pidfd_getfd(2) and no shell has it; the numbers of the system calls are the same on all architectures that
 * criu knows.
 * @see userfaultfd(2); pidfd_open(2); pidfd_getfd(2)
 */
export const LAZY_PAGES_PROGRAM: string = String.raw`
use strict;
use warnings;
use Fcntl qw(:flock);
use POSIX qw(EBADF);
use constant { PIDFD_OPEN => 434, PIDFD_GETFD => 438 };

my ($directory, $count, @words) = @ARGV;
my @daemon = splice @words, 0, $count;
umask 077;
chdir $directory or die "$directory: $!\n";
for my $fifo ('ask', 'answer') { POSIX::mkfifo($fifo, 0600) or die "$fifo: $!\n" }

pipe my $ready, my $tell or die "pipe: $!\n";
defined(my $guard = fork) or die "fork: $!\n";
if ($guard) {
  close $tell;
  sysread $ready, my $said, 1 or die "criu lazy-pages did not start\n";
  chdir '/';
  exec @words or die "$words[0]: $!\n";
}

POSIX::setsid();
close $ready;
# Who runs out of memory must not begin with these two.
if (open my $score, '>', '/proc/self/oom_score_adj') { print $score -1000; close $score }
open my $lock, '>', 'guard.lock' or die "guard.lock: $!\n";
flock $lock, LOCK_EX;
sub start_of {
  open my $stat, '<', "/proc/$_[0]/stat" or return '';
  # The name of a program may have anything in it.
  local $/;
  my ($state, @fields) = split ' ', (<$stat> // '') =~ s/^.*\) //sr;
  return defined $state && $state !~ /[ZX]/ ? $fields[18] : '';
}
sub leave {
  my ($name, $text) = @_;
  # Its room is taken before it is needed: the disk may be full by then.
  open my $file, '+<', "$name.new" or return;
  print $file sprintf "%-31s\n", $text;
  close $file and rename "$name.new", $name;
}
for my $name ('guard', 'fetched') {
  open my $file, '>', "$name.new" or die "$name: $!\n";
  print $file sprintf "%-31s\n", '';
  close $file or die "$name: $!\n";
}
open my $ask, '+<', 'ask' or die "ask: $!\n";
open my $answer, '+<', 'answer' or die "answer: $!\n";

pipe my $status, my $listens or die "pipe: $!\n";
defined(my $daemon = fork) or die "fork: $!\n";
if (!$daemon) {
  POSIX::dup2(fileno $listens, 5);
  exec @daemon or die "$daemon[0]: $!\n";
}
close $listens;
leave('guard', "$$ " . start_of($$) . " $daemon");
my $pidfd = syscall PIDFD_OPEN, $daemon, 0;
die "pidfd_open: $!\n" if $pidfd < 0;
exit 1 if !sysread $status, my $byte, 1;
syswrite $tell, 'L';
close $tell;

# At the end of a host or a session all are asked to end at once: the daemon must be the first.
$SIG{$_} = 'IGNORE' for qw(TERM HUP INT QUIT PIPE);

sub children_of {
  my @children;
  for my $list (glob "/proc/$_[0]/task/*/children") {
    open my $file, '<', $list or next;
    push @children, split ' ', <$file> // '';
  }
  return @children;
}
# What was restored and what descends from it, by the start times: who has lost its parent is found no other way later.
my %known;
sub look {
  for my $pid (keys %known) { delete $known{$pid} if start_of($pid) ne $known{$pid} }
  if (open my $list, '<', 'restored') {
    for (<$list>) { my ($pid, $start) = split; $known{$pid} = $start if start_of($pid) eq $start }
  }
  my (%seen, @todo);
  @todo = keys %known;
  while (defined(my $pid = shift @todo)) {
    next if $seen{$pid}++;
    my $start = start_of($pid);
    next if $start eq '';
    $known{$pid} = $start;
    push @todo, children_of($pid);
  }
}

my @held;
# All that the daemon has, in the place of what it had before. Whether that was so.
sub hold {
  my (@now, $failed);
  opendir my $fds, "/proc/$daemon/fd" or return 0;
  for my $fd (grep { /^\d+$/ } readdir $fds) {
    next if (readlink("/proc/$daemon/fd/$fd") // '') ne 'anon_inode:[userfaultfd]';
    my $own = syscall PIDFD_GETFD, $pidfd, $fd + 0, 0;
    if ($own >= 0) { push @now, $own }
    # One that was closed since is no loss.
    elsif ($! != EBADF) { $failed = 1 }
  }
  # Of a daemon that dies the list goes as a whole, and before its end is told: then there are no others but ours.
  if ($failed || !defined readlink "/proc/$daemon/fd/0") { POSIX::close($_) for @now; return 0 }
  POSIX::close($_) for @held;
  @held = @now;
  return 1;
}
# Each task has one. A zombie is none.
sub has_all {
  open my $list, '<', 'restored' or return 0;
  my $tasks = grep { !/ [ZX]$/ } <$list>;
  return @held >= $tasks;
}

my ($is_asked, $is_guarded, $is_whole, $turn) = (0, 0, 0, 0);
while (1) {
  my $wait = '';
  vec($wait, $pidfd, 1) = 1;
  vec($wait, fileno $ask, 1) = 1;
  my $found = select $wait, undef, undef, 0.02;
  last if $found > 0 && vec $wait, $pidfd, 1;
  $is_whole = hold();
  # Ten times less often: it takes longer, and an orphan is the exception.
  look() if $is_guarded && $turn++ % 10 == 0;
  if ($found > 0 && vec $wait, fileno $ask, 1) { sysread $ask, my $byte, 1; $is_asked = 1 }
  next if !$is_asked || !$is_whole || !has_all();
  syswrite $answer, 'y';
  ($is_asked, $is_guarded) = (0, 1);
}
waitpid $daemon, 0;
my $end = $?;
# One that has closed them all, and was still to say so to the source, had fetched everything.
if ($end == 0 || $is_guarded && $is_whole && !@held) { leave('fetched', 'yes'); exit 0 }

# Stopped before they are ended, until there is nobody new, so that none is forked unseen.
my ($is_new, %stopped) = (1);
while ($is_new) {
  look();
  $is_new = 0;
  for my $pid (keys %known) {
    next if ($stopped{$pid} // '') eq $known{$pid};
    kill 'STOP', $pid;
    ($stopped{$pid}, $is_new) = ($known{$pid}, 1);
  }
}
for (1 .. 2000) {
  my @alive = grep { start_of($_) eq $known{$_} } keys %known;
  last if !@alive;
  kill 'KILL', @alive;
  select undef, undef, undef, 0.01;
}
leave('fetched', "no $end");
exit 1;
`;

/** Waits until the guard has what the daemon has. In the hold's directory. */
export const GUARDED_SCRIPT = `
exec 6<> answer || exit
printf x 1<> ask
[ "$(timeout 10 dd bs=1 count=1 2> /dev/null <&6)" = y ]
`;

/** Ends the guard and its daemon, which fetch nothing for anybody any more. In the hold's directory. Idempotent. */
export const END_GUARD_SCRIPT = `
{ read -r guard start daemon < guard; } 2> /dev/null || exit 0
look() {
  now= group= began=
  { read -r now < "/proc/$1/stat"; } 2> /dev/null || return
  set -- \${now##*) }
  group=$3 began=\${20}
}
look "$guard"
[ "$began" != "$start" ] || kill -s KILL -- "-$guard" 2> /dev/null
look "$daemon"
[ "$group" != "$guard" ] || kill -s KILL "$daemon" 2> /dev/null
[ -f fetched ] || echo 'no ended' > fetched
`;

/**
 * Ends the workload as the guard does, then what would fetch memory for it: for what the guard has left, and for a person, when it was killed. In
 * the directory of the script.
 */
export const END_WORKLOAD_SCRIPT = `
cd "\${0%/*}" || exit
tree() {
  echo "$1"
  for children in "/proc/$1/task/"*/children; do
    child=
    read -r child 2> /dev/null < "$children"
    for child in $child; do tree "$child"; done
  done
}
alive() {
  while read -r pid start _; do
    now=
    { while read -r line; do now="$now $line"; done < "/proc/$pid/stat"; } 2> /dev/null
    set -- \${now##*) }
    [ "\${20}" != "$start" ] || tree "$pid"
  done < restored
}
if [ -f restored ]; then
  kill -s STOP $(alive) 2> /dev/null
  kill -s KILL $(alive) 2> /dev/null
fi
sh ./end-guard
`;

/** Ends the daemon alone, so that the guard ends the workload. Argument: the hold's directory. Idempotent. */
export const GIVE_UP_FETCH_SCRIPT = `
cd "$1" && { read -r pid _ daemon < guard; } 2> /dev/null || exit 0
now=
{ read -r now < "/proc/$daemon/stat"; } 2> /dev/null || exit 0
set -- \${now##*) }
[ "$2" != "$pid" ] || kill -s KILL "$daemon" 2> /dev/null
:
`;

/**
 * Waits until the guard has ended, and prints what it has left: `yes`; `no …`, as after a boot of the host; `cleaned` when its directory is
 * gone; `nothing` of one that was killed; or `fetching` when it is not to be waited for. Arguments: the hold's directory, and `-n` to wait
 * for nobody.
 */
export const FETCHED_SCRIPT: string = `
${BOOT_FUNCTION}
cd "$1" 2> /dev/null || { echo cleaned; exit 0; }
[ ! -e guard.lock ] || flock -s $2 guard.lock true || { echo fetching; exit 0; }
said=nothing
[ ! -f fetched ] || read -r said < fetched
[ "$(cat boot)" = "$(boot)" ] || said='no boot'
echo "$said"
`;
