import { RECEIVE_IMAGES, SENT_IMAGES } from '../transfer/image-stream.ts';

/**
 * Perl that writes of the memory of processes what is not on the destination yet, as criu's images, by comparing it with what was written
 * there before: where the kernel does not track what is written to. In a round it reads the memory of processes that run, which are not
 * stopped for it: a page that changes meanwhile is another one the next time. Of the dump it is the page server: what criu dumps is compared
 * on its way, so that no more of it is written than what the rounds lack. No page is left out but one that is the same, byte for byte, as that
 * which the destination has and has proved to have.
 *
 * Arguments: `round`, the directory of the images, that of what it remembers, the ssh_config that has the destination or nothing, the number of the
 * round, and PID:START of each process (field 22 of /proc/PID/stat): it prints how many bytes it wrote. Or `dump`, the same three, and criu with its
 * arguments: it becomes that, with a page server beside it, and criu fails when that fails.
 *
 * What it writes it sends at once, where it is told how; and what has come that way is noted: a round in its directory of what is remembered, as
 * `sent`, the dump beside its images. What then has not come is sent by whoever sends the images.
 *
 * What it remembers of a process, in `latest-PID`: the last round, the start of the process, and where its pages are, in runs of a page's number,
 * how many, the round, and from which page of that round's file on.
 *
 * It is Perl, since no shell reads at a place of a file; and as fast as the memory can be read, since whole stretches are compared at once.
 * @see CRIU's source, images/pagemap.proto, include/pagemap.h (PE_PARENT, PE_LAZY, PE_PRESENT), pagemap.c (read_parent_page): what a pagemap has from its
 *   parent must be in the pagemap there; page-xfer.c (page_server_serve): what comes to a page server, whose number of pages has 64 bits since 4.2;
 *   proc_pid_pagemap(5): bit 63 says that a page is in memory, bit 61 that it is of a file or shared
 */
export const COMPARE_PROGRAM: string = String.raw`
use strict;
use warnings;
no warnings 'portable';
use Fcntl;
use POSIX ();
use Socket;
use constant { PARENT => 1, LAZY => 2, PRESENT => 4, RUN => 256, ENTRIES => 65_536, GATHERED => 2 << 20, MOST_SECONDS => 30, PIPE => 1 << 20, F_SETPIPE_SZ => 1031, COMMON_MAGIC => 0x54564319, PAGEMAP_MAGIC => 0x56084025 };
use constant { OPEN => 4, ADD => 6, CLOSE => 0x1023, CLOSE_NOW => 0x1024, OF_PROCESS => 1, SHARED => 2 };
my $size = POSIX::sysconf(POSIX::_SC_PAGESIZE());
my ($mode, $images, $memory, $config, @rest) = @ARGV;

# What criu sends, if there is a criu.
my $criu;
if ($mode eq 'dump') {
  socketpair $criu, my $of_criu, AF_UNIX, SOCK_STREAM, 0 or die "socketpair: $!\n";
  defined(my $child = fork) or die "fork: $!\n";
  if ($child) {
    waitpid $child, 0;
    die "there is no page server\n" if $?;
    fcntl $of_criu, F_SETFD, 0;
    exec @rest, '--page-server', '--ps-socket', fileno $of_criu;
    die "$rest[0]: $!\n";
  }
  close $of_criu;
  # criu takes the end of a child for that of its task, and ends at once: it has none.
  defined(my $server = fork) or POSIX::_exit(1);
  if ($server) {
    umask 077;
    eval { write_text("$memory/page-server", join ' ', $server, start_of($server), "\n"); 1 } or POSIX::_exit(1);
    POSIX::_exit(0);
  }
  $SIG{PIPE} = 'IGNORE';
}
umask 077;
$SIG{__DIE__} = sub {
  print STDERR 'compare: ', @_;
  close $criu if $criu;
  exit 1;
};
# The workload must not be the first to go when memory runs out.
if (open my $score, '>', '/proc/self/oom_score_adj') { print $score 1000; close $score }

my (%open, @new);
END { unlink @new }

# To the destination, as long as that works; and of the memory that goes there, what is on its way, and what is to follow at once. A dump has
# little time, and a transfer much: what takes longer is left to that.
my ($way, $carried, $gathered, $ssh, $deadline) = (undef, 0, '');
sub open_way {
  return unless length $config;
  $SIG{PIPE} = 'IGNORE';
  $deadline = time + MOST_SECONDS if $criu;
  $ssh = open $way, '|-', 'ssh', '-F', $config, 'destination', '${RECEIVE_IMAGES}' or return undef $way;
  # So that it has something to send while the next pages are read.
  fcntl $way, F_SETPIPE_SZ, PIPE;
}
sub leave_way {
  kill 'TERM', $ssh;
  close $way;
  undef $way;
}
sub tell_way {
  my ($text) = @_;
  for (my $done = 0; $way && $done < length $text;) {
    my $more = syswrite $way, $text, length($text) - $done, $done;
    return leave_way() unless defined $more && !($deadline && time > $deadline);
    $done += $more;
  }
}
sub carry_gathered {
  my ($name) = @_;
  length $gathered or return;
  tell_way('put ' . length($gathered) . " $name $carried\n");
  tell_way($gathered);
  $carried += length $gathered;
  $gathered = '';
}
sub carry {
  my ($name, $data) = @_;
  return unless $way;
  $gathered .= $data;
  carry_gathered($name) if length $gathered >= GATHERED;
}
sub carry_end {
  my ($name) = @_;
  carry_gathered($name);
  tell_way("whole $carried $name\n");
  $carried = 0;
}
# Whether all has come.
sub close_way {
  return $way && close $way;
}

# Pages of a file, as many whole ones as there are.
sub pages {
  my ($path, $from, $count) = @_;
  unless ($open{$path}) { sysopen $open{$path}, $path, O_RDONLY or return '' }
  my $data = '';
  sysseek $open{$path}, $from * $size, 0 and sysread $open{$path}, $data, $count * $size;
  substr($data, int(length($data) / $size) * $size) = '';
  return $data;
}
sub text_of {
  my ($path) = @_;
  open my $in, '<:raw', $path or return;
  local $/;
  return scalar <$in>;
}
sub write_text {
  my ($path, $text) = @_;
  open my $out, '>:raw', $path or die "$path: $!\n";
  print $out $text and close $out or die "$path: $!\n";
}
sub varint {
  my ($value) = @_;
  my $text = '';
  for (; $value > 127; $value >>= 7) { $text .= chr($value & 127 | 128) }
  return $text . chr $value;
}
sub message {
  my ($text) = @_;
  return pack('L<', length $text) . $text;
}

# Goes through runs of pages, which come in the order of their addresses, and writes an image: which of them are as they were, and
# the others. It returns where each is now, and how many were written.
sub compare {
  my ($pid, $id, $round, $known, $out_pages, $out_map, $next, $read) = @_;
  # Another process has other files, and there may be many.
  %open = ();
  my @known = unpack '(Q<L<L<Q<)*', $known;
  my ($at, $written, $flags, @entries, @latest) = (0, 0);
  my ($name) = $out_pages =~ m{([^/]+)$};
  push @new, $out_pages, $out_map;
  sysopen my $out, $out_pages, O_WRONLY | O_CREAT | O_EXCL or die "$out_pages: $!\n";

  my $note = sub {
    my ($is, $page, $count, $in, $place) = @_;
    my $last = $entries[-1];
    if ($last && $last->[0] == $is && $last->[1] + $last->[2] == $page) { $last->[2] += $count }
    else { push @entries, [$is, $page, $count] }
    # Nobody asks for it after the dump.
    return if $round == 0;
    $last = $latest[-1];
    if ($last && $last->[2] == $in && $last->[0] + $last->[1] == $page && $last->[3] + $last->[1] == $place) { $last->[1] += $count }
    else { push @latest, [$page, $count, $in, $place] }
  };
  my $put = sub {
    my ($page, $data) = @_;
    my $count = length($data) / $size or return;
    # What nobody has written to yet looks like this, and criu leaves it out, too.
    return if $round > 0 && $data eq "\0" x length $data;
    for (my $done = 0; $done < length $data;) {
      my $more = syswrite $out, $data, length($data) - $done, $done;
      defined $more or die "$out_pages: $!\n";
      $done += $more;
    }
    carry($name, $data);
    $note->($flags, $page, $count, $round, $written);
    $written += $count;
  };
  # Of a stretch that both have.
  my $sift = sub {
    my ($page, $data, $before, $in, $place) = @_;
    my $count = length($data) / $size;
    return $note->(PARENT, $page, $count, $in, $place) if $count && $data eq $before;
    my $is_same = sub { substr($data, $_[0] * $size, $size) eq substr($before, $_[0] * $size, $size) };
    for (my $from = 0; $from < $count;) {
      my $same = $is_same->($from);
      my $to = $from + 1;
      $to++ while $to < $count && $is_same->($to) == $same;
      if ($same) { $note->(PARENT, $page + $from, $to - $from, $in, $place + $from) }
      else { $put->($page + $from, substr $data, $from * $size, ($to - $from) * $size) }
      $from = $to;
    }
  };

  while (my ($page, $left, $place, $is) = $next->()) {
    $flags = $is;
    while ($left > 0) {
      $at += 4 while $at < @known && $known[$at] + $known[$at + 1] <= $page;
      my ($first, $count, $in, $there) = $at < @known ? @known[$at .. $at + 3] : ($page + $left, 0, 0, 0);
      my $some = $left < RUN ? $left : RUN;
      if ($first > $page) {
        $some = $first - $page if $first - $page < $some;
        $put->($page, $read->($page, $some, $place));
      } else {
        my $into = $page - $first;
        $some = $count - $into if $count - $into < $some;
        my $data = $read->($page, $some, $place);
        my $before = pages("$images/round-$in/pages-$pid.img", $there + $into, length($data) / $size);
        # What of that round is not there any more is written again.
        my $both = length $before;
        $sift->($page, substr($data, 0, $both), $before, $in, $there + $into);
        $put->($page + $both / $size, substr $data, $both) if $both < length $data;
      }
      ($page, $left, $place) = ($page + $some, $left - $some, $place + $some);
    }
  }
  close $out or die "$out_pages: $!\n";
  carry_end($name);
  my $map = pack('L<L<', COMMON_MAGIC, PAGEMAP_MAGIC) . message("\x08" . varint($id));
  for my $entry (@entries) {
    my ($is, $page, $count) = @$entry;
    # The number of pages twice: as 32 bits for an older criu.
    $map .= message("\x08" . varint($page * $size) . "\x10" . varint($count) . "\x20" . chr($is) . "\x28" . varint($count));
  }
  write_text($out_map, $map);
  return ($written, \@latest);
}

# What is remembered of a process, if it had a part in that round, and is the same.
sub known_of {
  my ($pid, $round, $start) = @_;
  my ($head, $known) = split /\n/, text_of("$memory/latest-$pid") // '', 2;
  return defined $head && $head eq "$round $start" ? $known : undef;
}

# Areas that have pages of their own.
sub areas {
  my ($pid) = @_;
  my (@areas, $area);
  open my $smaps, '<', "/proc/$pid/smaps" or return;
  while (my $line = <$smaps>) {
    if ($line =~ /^([0-9a-f]+)-([0-9a-f]+) ...(.)(?: +\S+){3} *(.*)/) {
      my ($from, $to, $is, $name) = ($1, $2, $3, $4);
      undef $area;
      push @areas, $area = [hex($from) / $size, hex($to) / $size, 0] if $is eq 'p' && $name !~ /^\[v/;
    } elsif ($area && $line =~ /^Anonymous: +(\d+)/) {
      $area->[2] = $1;
    }
  }
  return grep { $_->[2] > 0 } @areas;
}

# The runs of pages that a process has for itself, one after the other.
sub runs_of {
  my ($pid) = @_;
  my @areas = areas($pid);
  my ($page, $end, @runs) = (0, 0);
  return sub {
    until (@runs) {
      if ($page >= $end) {
        my $area = shift @areas or return;
        ($page, $end) = @$area;
      }
      my $some = $end - $page < ENTRIES ? $end - $page : ENTRIES;
      my $data = '';
      sysopen $open{"map $pid"}, "/proc/$pid/pagemap", O_RDONLY or return unless $open{"map $pid"};
      sysseek $open{"map $pid"}, 8 * $page, 0 and sysread $open{"map $pid"}, $data, 8 * $some;
      # Shorter than asked for when the process has ended.
      $page += $some;
      next if $data eq "\0" x length $data;
      my $bits = join '', map { $_ >> 61 == 4 ? 1 : 0 } unpack 'Q*', $data;
      while ($bits =~ /1+/g) { push @runs, [$page - $some + $-[0], $+[0] - $-[0]] }
    }
    return (@{ shift @runs }, 0, PRESENT);
  };
}

# As many bytes of what criu sends.
sub take {
  my ($length) = @_;
  my $data = '';
  while (length $data < $length) {
    my $more = sysread $criu, $data, $length - length $data, length $data;
    defined $more or die "reading what criu sends: $!\n";
    # criu has ended, and has said why.
    exit 1 unless $more;
  }
  return $data;
}
# What comes next: its command, its flags, how many pages, from which address on, and of what.
{
  my $layout;
  sub next_message {
    my $message = take(24);
    my $first = unpack('L<', $message) & 0xffff;
    # The last one, which may be the first as well, is of nothing; it need not be read to its end.
    return $first if $first == CLOSE || $first == CLOSE_NOW;
    # Another first one is about no pages, and what it is of is never zero.
    unless ($layout) { $layout = unpack('x16 Q<', $message) ? 'L<L<Q<Q<' : 'L<x4Q<Q<Q<' }
    $message .= take(8) if $layout =~ /x/;
    my ($command, $count, $address, $of) = unpack $layout, $message;
    return ($command & 0xffff, $command >> 16, $count, $address, $of);
  }
}
sub answer {
  my ($text) = @_;
  # A criu that has ended has said why.
  (syswrite($criu, $text) // 0) == length $text or exit 1;
}

sub start_of {
  my ($stat) = text_of("/proc/$_[0]/stat") // '';
  return (split ' ', $stat =~ s/^.*\) //sr)[19] // '';
}

my $total = 0;
if ($mode eq 'round') {
  my ($number, @processes) = @rest;
  my $directory = "$images/round-$number";
  open_way();
  tell_way("in round-$number\n");
  if ($number > 1) { symlink '../round-' . ($number - 1), "$directory/parent" or die "$directory/parent: $!\n" }
  for my $process (@processes) {
    my ($pid, $start) = split /:/, $process;
    my $known = known_of($pid, $number - 1, $start) // '';
    unlink "$memory/latest-$pid";
    next if start_of($pid) ne $start;
    my @files = ("$directory/pages-$pid.img", "$directory/pagemap-$pid.img");
    my $read = sub { pages("/proc/$pid/mem", $_[0], $_[1]) };
    my ($written, $latest) = compare($pid, $pid, $number, $known, @files, runs_of($pid), $read);
    # Somebody else may have got its pid meanwhile, whose memory is nobody's business.
    if (start_of($pid) ne $start) { unlink @files; tell_way("drop 0 pages-$pid.img\n"); next }
    write_text("$memory/latest-$pid.new", "$number $start\n" . pack '(Q<L<L<Q<)*', map { @$_ } @$latest);
    rename "$memory/latest-$pid.new", "$memory/latest-$pid" or die "latest-$pid: $!\n";
    $total += $written;
  }
  @new = ();
  if ($way) {
    tell_way("rest without-memory\n");
    open my $rest, '-|', 'tar', '-cf', '-', '--exclude=./pages-*.img', '-C', $directory, '.' or die "tar: $!\n";
    while (sysread $rest, my $data, 1 << 20) { tell_way($data) }
    write_text("$memory/round-$number/sent", '') if close $rest and close_way();
  }
  print $total * $size, "\n";
} else {
  open_way();
  my ($last) = (readlink("$images/last-round") // '') =~ /(\d+)$/ or die "there was no round\n";
  my ($id, @message) = (0, next_message());
  while ($message[0] != CLOSE && $message[0] != CLOSE_NOW) {
    my $of = $message[4];
    my ($type, $number) = ($of & 0xff, $of >> 8);
    die "criu sends what is not known: @message\n" unless $message[0] == OPEN && ($type == OF_PROCESS || $type == SHARED);
    my $known = $type == OF_PROCESS ? known_of($number, $last, start_of($number)) : undef;
    # criu takes huge pages from no parent.
    undef $known unless defined $known && -s "$images/round-$last/pagemap-$number.img"
      && (text_of("/proc/$number/status") // '') =~ /^Name:/ && (text_of("/proc/$number/status") // '') !~ /^HugetlbPages:\s+[1-9]/m;
    # Whether it has a parent, in which criu is to look up what was not written to.
    answer("\0");
    my $next = sub {
      @message = next_message();
      my ($command, $flags, $count, $address, $is_of) = @message;
      return unless $command == ADD;
      die "criu sends what is not known: @message\n" unless $is_of == $of && ($flags & ~LAZY) == PRESENT;
      return ($address / $size, $count, 0, $flags);
    };
    my $read = sub { take($_[1] * $size) };
    my $map = $type == SHARED ? "pagemap-shmem-$number.img" : "pagemap-$number.img";
    $id++;
    compare($number, $id, 0, $known // '', "$images/pages-$id.img", "$images/$map", $next, $read);
  }
  tell_way("over\n");
  write_text($images =~ s{[^/]+$}{${SENT_IMAGES}}r, join ' ', (map { "pages-$_.img" } 1 .. $id), "\n") if close_way();
  symlink 'last-round', "$images/parent" or die "$images/parent: $!\n";
  @new = ();
  answer(pack 'l<', 0);
}
`;
