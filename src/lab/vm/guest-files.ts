/** A file that every machine has besides those of its packages. */
export interface GuestFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/**
 * Makes of a machine the host that its second disk tells of, a tar archive. It is said on the second serial port when: a
 * machine whose state was saved goes on from there, as another host, at another time. Once it has its files, they are its
 * own, and a later boot finds them as they were left.
 */
const becomeHost = `#!/bin/sh
set -eu
stty -F /dev/ttyS1 raw -echo
exec < /dev/ttyS1 > /dev/ttyS1
echo waiting
# The port of a machine that just goes on loses characters: the line is said again until it is answered.
until read -r word seconds && [ "$word" = become ]; do :; done
echo heard
date -s "@$seconds" > /dev/null
if [ ! -e /etc/criu-flow-lab ]; then
  # The kernel has read its beginning, in search of partitions, when the machine was no host yet.
  blockdev --flushbufs /dev/vdb
  tar -xf /dev/vdb -C /
  sync
fi
. /etc/criu-flow-lab
hostname "$name"
ip link set lo up
ip link set eth0 address "$mac"
ip address add "$address" dev eth0
ip link set eth0 up
if [ -n "$rate" ]; then tc qdisc add dev eth0 root tbf rate "$rate"mbit burst 256kb latency 400ms; fi
echo "$first_pid" > /proc/sys/kernel/ns_last_pid
systemctl start ssh.service
# Who asked for this host while it was off would fail with the last of its questions: one of its own tells all neighbours.
until arping -q -f -w 1 -I eth0 "\${address%.*}.1"; do :; done
echo ready
`;

const unit = `[Unit]
Description=Become a host of a lab
After=basic.target systemd-user-sessions.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/become-host
StandardError=journal+console
`;

/** Needed by criu, by what tests do on hosts, or by the network card: there is no udev that would load them. */
const modules = [
  ...['virtio_net', 'tcp_diag', 'udp_diag', 'unix_diag', 'netlink_diag', 'packet_diag', 'inet_diag'],
  ...['nf_tables', 'nft_ct', 'sch_tbf', 'tun', 'veth', 'overlay'],
];

export const guestFiles: readonly GuestFile[] = [
  { path: '/usr/local/sbin/become-host', text: becomeHost, mode: 0o755 },
  { path: '/etc/systemd/system/become-host.service', text: unit, mode: 0o644 },
  { path: '/etc/modules-load.d/criu-flow-lab.conf', text: `${modules.join('\n')}\n`, mode: 0o644 },
  {
    path: '/etc/systemd/journald.conf.d/criu-flow-lab.conf',
    text: '[Journal]\nStorage=volatile\n',
    mode: 0o644,
  },
  {
    // The cheapest to compute: an emulated processor takes half a second for them, and seconds for others.
    path: '/etc/ssh/sshd_config.d/criu-flow-lab.conf',
    text: 'KexAlgorithms curve25519-sha256\nUseDNS no\n',
    mode: 0o644,
  },
  // Anything but a missing file, which means a first boot, with much to set up.
  { path: '/etc/machine-id', text: '00000000000040008000000000c41f10\n', mode: 0o444 },
  { path: '/etc/fstab', text: '', mode: 0o644 },
];

/**
 * Units of systemd's own that begin at boot and are of no use to a host of a lab. An emulated processor takes a second for
 * each.
 */
export const maskedUnits: readonly string[] = [
  ...[
    'dev-hugepages.mount',
    'getty.target',
    'kmod-static-nodes.service',
    'ldconfig.service',
    'modprobe@.service',
  ],
  ...['proc-sys-fs-binfmt_misc.automount', 'sys-fs-fuse-connections.mount', 'sys-kernel-config.mount'],
  ...['sys-kernel-debug.mount', 'sys-kernel-tracing.mount', 'timers.target'],
  ...['systemd-binfmt.service', 'systemd-boot-random-seed.service', 'systemd-firstboot.service'],
  ...['systemd-journal-catalog-update.service', 'systemd-journal-flush.service', 'systemd-pstore.service'],
  ...['systemd-random-seed.service', 'systemd-sysusers.service', 'systemd-tmpfiles-setup-dev-early.service'],
  ...['systemd-update-done.service', 'systemd-update-utmp.service'],
];
