import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LocalHost } from '../../src/host/local.ts';
import { leftBehind } from '../../src/transfer/left-behind.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

/** An access-control list as the kernel keeps it: user::rw- user:1:r-- group::r-- mask::r-- other::r--. See acl(5). */
const LIST = '0200000001000600ffffffff020004000100000004000400ffffffff10000400ffffffff20000400ffffffff';

/** The number of setxattr(2), for which no program is on every machine. */
const SETXATTR = process.arch === 'arm64' ? 5 : 188;

const { signal } = new AbortController();

function setList(path: string): void {
  // What syscall is given must be in variables.
  const program =
    'my ($number, $path, $list) = @ARGV; my ($name, $value) = ("system.posix_acl_access", pack("H*", $list)); ' +
    'syscall($number + 0, $path, $name, $value, length($value), 0) == 0 or die $!';
  execFileSync('perl', ['-e', program, String(SETXATTR), path, LIST]);
}

test('access-control lists are seen at a path and below it', async () => {
  using directory = temporaryDirectory();
  for (const name of ['plain', 'with list']) {
    mkdirSync(directory.at(name, 'deep'), { recursive: true });
    writeFileSync(directory.at(name, 'deep/a+ b'), '');
    symlinkSync('nowhere', directory.at(name, 'link'));
  }
  writeFileSync(directory.at('-file'), '');
  setList(directory.at('with list/deep/a+ b'));
  setList(directory.at('-file'));
  const paths = ['plain', 'with list', '-file'].map((name) => directory.at(name));
  expect(await leftBehind(new LocalHost(), paths, signal)).toEqual(paths.slice(1));
  expect(await leftBehind(new LocalHost(), [], signal)).toEqual([]);
});

test('extended attributes are seen where getfattr is there', async () => {
  using directory = temporaryDirectory();
  writeFileSync(directory.at('file'), '');
  using has = fakePrograms({ getfattr: 'echo user.note' });
  expect(await leftBehind(has.host, [directory.at('file')], signal)).toEqual([directory.at('file')]);
  using hasNot = fakePrograms({ getfattr: '' });
  expect(await leftBehind(hasNot.host, [directory.at('file')], signal)).toEqual([]);
});
