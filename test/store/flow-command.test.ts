import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { flowCommandOf } from '../../src/store/flow-command.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';

beforeEach(() => void vi.stubEnv('XDG_STATE_HOME', '/state'));
afterEach(() => void vi.unstubAllEnvs());

const run = { runId: 'r1', path: '/state/criu-flow/runs/r1', header: {} };

test('a run of this user is named by its id, a copy of its directory by the path, wherever the shell is', () => {
  expect(flowCommandOf(run)('resume')).toBe('criu-flow resume r1');
  expect(flowCommandOf({ ...run, path: '/tmp/r1' })('status')).toBe('criu-flow status /tmp/r1');
  expect(flowCommandOf({ ...run, path: 'r1/' })('status')).toBe(`criu-flow status ${process.cwd()}/r1`);
  expect(flowCommandOf({ ...run, runId: 'r2' })('status')).toBe('criu-flow status /state/criu-flow/runs/r1');
});

test('the ssh_config is said when the run does not know it', () => {
  const begun = { ...run, header: { sshConfigFile: '/etc/a' } };
  expect(flowCommandOf(begun, '/etc/a')('rollback')).toBe('criu-flow rollback r1');
  expect(flowCommandOf(begun)('rollback')).toBe('criu-flow rollback r1');
  expect(flowCommandOf(begun, '/etc/b')('resume', '--source-is-gone')).toBe(
    'criu-flow resume r1 --ssh-config /etc/b --source-is-gone',
  );
});

test('a shell reads what was meant, whatever the names hold', async () => {
  const path = "/tmp/it's a $(copy)/; exit 3";
  const command = flowCommandOf({ ...run, path }, '/tmp/`x` y')('status');
  using programs = fakePrograms({ 'criu-flow': `printf '%s\\n' "$@"` });
  const { stdout } = await programs.host.run(['sh', '-c', command]);
  expect(stdout).toBe(`status\n${path}\n--ssh-config\n/tmp/\`x\` y\n`);
});
