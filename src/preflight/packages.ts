/** How a distribution installs packages, and what it calls those whose name is not the tool's. */
interface Distribution {
  readonly install: readonly string[];
  readonly packages: Readonly<Record<string, string>>;
}

/** @see packages.debian.org, packages.fedoraproject.org, software.opensuse.org, archlinux.org/packages, pkgs.alpinelinux.org */
const DISTRIBUTIONS: Readonly<Record<string, Distribution>> = {
  debian: {
    install: ['apt-get', 'install', '-y'],
    packages: {
      nft: 'nftables',
      ssh: 'openssh-client',
      'ssh-keygen': 'openssh-client',
      sha256sum: 'coreutils',
      ss: 'iproute2',
      ip: 'iproute2',
      arping: 'iputils-arping',
      perl: 'perl-base',
    },
  },
  fedora: {
    install: ['dnf', 'install', '-y'],
    packages: {
      nft: 'nftables',
      ssh: 'openssh-clients',
      'ssh-keygen': 'openssh',
      sha256sum: 'coreutils',
      ss: 'iproute',
      ip: 'iproute',
      arping: 'iputils',
    },
  },
  suse: {
    install: ['zypper', 'install', '-y'],
    packages: {
      nft: 'nftables',
      ssh: 'openssh-clients',
      'ssh-keygen': 'openssh-common',
      sha256sum: 'coreutils',
      ss: 'iproute2',
      ip: 'iproute2',
      arping: 'iputils',
    },
  },
  arch: {
    install: ['pacman', '-S', '--noconfirm'],
    packages: {
      nft: 'nftables',
      ssh: 'openssh',
      'ssh-keygen': 'openssh',
      sha256sum: 'coreutils',
      ss: 'iproute2',
      ip: 'iproute2',
      arping: 'iputils',
    },
  },
  alpine: {
    install: ['apk', 'add'],
    packages: {
      nft: 'nftables',
      ssh: 'openssh-client',
      'ssh-keygen': 'openssh-keygen',
      sha256sum: 'coreutils',
      ss: 'iproute2-ss',
      ip: 'iproute2',
      arping: 'iputils-arping',
    },
  },
};

const ALIASES: Readonly<Record<string, string>> = {
  ubuntu: 'debian',
  rhel: 'fedora',
  centos: 'fedora',
  opensuse: 'suse',
  sles: 'suse',
};

/**
 * The command that installs tools on a distribution.
 * @param ids its own id and those that it is like, the closest first, as os-release(5) has them; Debian's command for one that is not known
 */
export function installCommand(ids: readonly string[], tools: readonly string[]): readonly string[] {
  const known =
    ids
      .map((id) => (Object.hasOwn(ALIASES, id) ? (ALIASES[id] ?? id) : id))
      .find((id) => Object.hasOwn(DISTRIBUTIONS, id)) ?? 'debian';
  const { install, packages } = DISTRIBUTIONS[known] ?? { install: [], packages: {} };
  return [...install, ...new Set(tools.map((tool) => packages[tool] ?? tool))];
}
