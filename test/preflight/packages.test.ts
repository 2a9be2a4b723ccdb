import { expect, test } from 'vitest';
import { installCommand } from '../../src/preflight/packages.ts';

test.each([
  [['debian'], 'apt-get install -y nftables iproute2 rsync'],
  [['ubuntu', 'debian'], 'apt-get install -y nftables iproute2 rsync'],
  [['rocky', 'rhel', 'centos', 'fedora'], 'dnf install -y nftables iproute rsync'],
  [['opensuse-leap', 'suse', 'opensuse'], 'zypper install -y nftables iproute2 rsync'],
  [['arch'], 'pacman -S --noconfirm nftables iproute2 rsync'],
  [['alpine'], 'apk add nftables iproute2-ss iproute2 rsync'],
  // Somebody has to begin somewhere.
  [[], 'apt-get install -y nftables iproute2 rsync'],
])('on %j: %s', (ids, command) => {
  expect(installCommand(ids, ['nft', 'ss', 'ip', 'rsync']).join(' ')).toBe(command);
});
