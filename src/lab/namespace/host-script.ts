/**
 * Turns new namespaces into a host. Runs as its process 1, file descriptor 9 is the network namespace of the machine.
 * Arguments: the host's directory, that of its own files, the root file system, the shared directory, the host's name, its address with
 * prefix length, the bridge, this machine's end of the link, the first PID, the MAC address, the rate in
 * Mbit/s or nothing.
 *
 * pivot_root and not chroot: criu cannot place the mounts of a chroot. A fresh /proc, /dev and devpts: those of the
 * machine would show its own processes and terminals. sshd goes to the background before it listens, and
 * writes its pid when it does: then, when the machine answers it, the host is ready, says so, and lets go of the starter's output. tini reaps: a zombie would keep its PID from being restored.
 */
export const startHostScript = `
set -eu
directory=$1 own=$2 root=$3 shared=$4 name=$5 address=$6 bridge=$7 link=$8
shift 8
first_pid=$1 mac=$2 rate=$3
outside() { nsenter --net=/proc/self/fd/9 "$@"; }

mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$root,upperdir=$own,workdir=$directory/work" "$directory/merged"
cd "$directory/merged"
mkdir -p shared old
mount --bind "$shared" shared

ip link set lo up
outside ip link delete "$link" 2> /dev/null || true
outside ip link add "$link" type veth peer name eth0 address "$mac" netns 1
outside ip link set "$link" master "$bridge" up
ip address add "$address" dev eth0
ip link set eth0 up
if [ -n "$rate" ]; then
  tc qdisc add dev eth0 root tbf rate "$rate"mbit burst 256kb latency 400ms
  outside tc qdisc add dev "$link" root tbf rate "$rate"mbit burst 256kb latency 400ms
fi
exec 9<&-

pivot_root . old
cd /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=0755 tmpfs /dev
mkdir -m 1777 /dev/shm
mkdir /dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts
ln -s pts/ptmx /dev/ptmx
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/full c 1 7
mknod -m 666 /dev/random c 1 8
mknod -m 666 /dev/urandom c 1 9
mknod -m 666 /dev/tty c 5 0
umount -l /old
rmdir /old
hostname "$name"
echo "$first_pid" > /proc/sys/kernel/ns_last_pid

mkdir -p /run/sshd
/usr/sbin/sshd -E /var/log/sshd.log
# The bridge forwards a while after the link is up. Who asked for this host while it was off would fail with the last of its
# questions, though the host is there by then: a question of its own tells all neighbours.
until arping -q -f -w 1 -I eth0 "\${address%.*}.1"; do :; done
until [ -s /run/sshd.pid ]; do sleep 0.01; done
echo ready
exec tini -- sleep infinity < /dev/null > /dev/null 2>&1
`;
