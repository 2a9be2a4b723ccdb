// Does what a fresh machine lacks, one line each: npm packages, Debian packages, the build, the lab's root file system.
// Plain JavaScript and nothing but Node's own modules: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A program and the Debian package that brings it. */
const labPrograms = { mmdebstrap: 'mmdebstrap', ip: 'iproute2', ssh: 'openssh-client' };
const testPrograms = {
  sshd: 'openssh-server',
  rsync: 'rsync',
  nft: 'nftables',
  script: 'bsdutils',
  zsh: 'zsh',
  fish: 'fish',
};

/** The least: what needs no lab, and nothing of Debian. */
export function setUpPackages() {
  installNpmPackages();
  build();
}

/**
 * @param {{ forTests?: boolean }} options
 * @returns {Promise<string | undefined>} why this machine cannot build a lab, or undefined when it can
 */
export async function setUp({ forTests = false } = {}) {
  installNpmPackages();
  const debian = installDebianPackages(forTests ? { ...labPrograms, ...testPrograms } : labPrograms);
  build();
  const { namespaceDriver } = await import('../dist/lab/namespace/namespace-driver.js');
  const { ensureRootFileSystem } = await import('../dist/lab/namespace/root-file-system.js');
  try {
    await namespaceDriver.require([]);
    await ensureRootFileSystem(say);
    return undefined;
  } catch (error) {
    if (error?.name !== 'FlowError') throw error;
    return [error.message, error.evidence, debian, error.hint].filter(Boolean).join('\n  ');
  }
}

/**
 * What virtual machines are made from, besides.
 * @returns {Promise<string | undefined>} why this machine cannot run some, or undefined when it can
 */
export async function setUpMachines() {
  const { vmDriver } = await import('../dist/lab/vm/vm-driver.js');
  const machines = [{ machine: {} }];
  try {
    await vmDriver.require(machines);
    await vmDriver.build(machines, say);
    return undefined;
  } catch (error) {
    if (error?.name !== 'FlowError') throw error;
    return [error.message, error.evidence, error.hint].filter(Boolean).join('\n  ');
  }
}

function say(text) {
  console.log(`set-up: ${text}`);
}

/** Again only when package-lock.json has changed. */
function installNpmPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.criu-flow-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing npm packages');
  // No package of ours needs an install script, and none gets to run one.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  writeFileSync(stamp, lock);
}

/** @returns why Debian packages that are missing were not installed */
function installDebianPackages(programs) {
  const missing = [
    ...new Set(
      Object.entries(programs)
        .filter(([program]) => !isInstalled(program))
        .map(([, debianPackage]) => debianPackage),
    ),
  ];
  if (missing.length === 0) return undefined;
  const command = `apt-get install ${missing.join(' ')}`;
  if (!isInstalled('apt-get')) return `This is not Debian or Ubuntu: install ${missing.join(', ')} yourself.`;
  if (process.getuid?.() !== 0) return `Run as root, or let root run: ${command}`;
  say(`installing Debian packages: ${missing.join(' ')}`);
  // RUNLEVEL=1 keeps openssh-server from starting its service: the tests start a server of their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  run('apt-get', ['-qq', 'update'], options);
  run('apt-get', ['-qq', '-y', '--no-install-recommends', 'install', ...missing], options);
  return undefined;
}

/** Again only when something that goes into it is newer. */
function build() {
  const stamp = join(root, 'dist', '.built');
  const builtMs = existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  const inputs = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json'];
  if (inputs.every((input) => newestMs(join(root, input)) <= builtMs)) return;
  say('building');
  run(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
  writeFileSync(stamp, '');
}

function newestMs(path) {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

function isInstalled(program) {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.some((directory) => existsSync(join(directory, program)));
}

function run(program, args, options) {
  const result = spawnSync(program, args, { cwd: root, ...options });
  if (result.status === 0) return;
  console.error(
    `set-up: ${program} ${args.join(' ')} failed (${result.error?.message ?? `exit code ${result.status}`})`,
  );
  process.exit(1);
}
