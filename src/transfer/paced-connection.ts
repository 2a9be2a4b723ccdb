/**
 * Perl that ssh connects through (ssh_config(5), ProxyCommand), and that sends no more in a second than it is told: the kernel paces the
 * connection, whatever goes through it. So little waits in it that what ssh asks to see whether the other side is alive is not late.
 * Arguments: the host, the port, and bytes a second.
 * @see tcp(7); SO_MAX_PACING_RATE in the kernel's net/core/sock.c, which TCP heeds without a queueing discipline
 */
export const PACED_CONNECTION: string = String.raw`
use strict;
use warnings;
use Socket qw(getaddrinfo SOCK_STREAM SOL_SOCKET SO_SNDBUF IPPROTO_TCP TCP_NODELAY);
use constant { SO_MAX_PACING_RATE => 47, LEAST => 16_384, MOST => 4_194_304 };
my ($host, $port, $rate) = @ARGV;
$SIG{ALRM} = sub { die "connect to $host port $port: Connection timed out\n" };
alarm 10;
my ($error, @addresses) = getaddrinfo($host, $port, { socktype => SOCK_STREAM });
die "Could not resolve hostname $host: $error\n" if $error;
my ($connection, $why);
for my $address (@addresses) {
  socket my $socket, $address->{family}, SOCK_STREAM, $address->{protocol} or next;
  # What waits to be sent is an eighth of what is sent in a second. It counts from before the connection.
  my $waiting = $rate / 8;
  $waiting = LEAST if $waiting < LEAST;
  $waiting = MOST if $waiting > MOST;
  setsockopt $socket, SOL_SOCKET, SO_SNDBUF, pack('i', $waiting) or die "SO_SNDBUF: $!\n";
  setsockopt $socket, SOL_SOCKET, SO_MAX_PACING_RATE, pack('L', $rate) or die "SO_MAX_PACING_RATE: $!\n";
  setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, pack('i', 1) or die "TCP_NODELAY: $!\n";
  if (connect $socket, $address->{addr}) { $connection = $socket; last }
  $why = $!;
}
die "connect to $host port $port: $why\n" unless $connection;
alarm 0;
sub copy {
  my ($from, $to) = @_;
  while (sysread $from, my $data, LEAST) {
    for (my $done = 0; $done < length $data;) {
      $done += syswrite($to, $data, length($data) - $done, $done) // return;
    }
  }
}
$SIG{PIPE} = 'IGNORE';
my $sender = fork // die "fork: $!\n";
if ($sender == 0) {
  copy(\*STDIN, $connection);
  shutdown $connection, 1;
  exit;
}
copy($connection, \*STDOUT);
kill 'TERM', $sender;
`;
