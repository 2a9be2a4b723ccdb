import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SCOPE_FUNCTIONS, SCOPED_SCRIPT, UNTIL_LIMITED_SCRIPT } from '../../src/criu/scope-script.ts';
import { mustRunScript } from '../../src/host/shell.ts';
import { fakePrograms } from '../helpers/fake-programs.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';

const SCOPE = 'video.scope\nvideo-r1.scope\nMemoryMax=9\nCPUQuota=50%\n';

/** Runs a script in a hold's directory, where systemd runs or does not: a fake one, which has units and refuses a property. */
async function runIn(
  directory: string,
  script: string,
  args: readonly string[],
  { hasSystemd = true, units = '', refuses = 'none' } = {},
): Promise<string> {
  if (hasSystemd) mkdirSync(`${directory}/systemd`, { recursive: true });
  using fakes = fakePrograms({
    'systemd-run': `[ "$1" != --help ] || { echo --expand-environment; exit; }
      while [ "$1" != -- ]; do echo "$1"; shift; done
      shift
      exec "$@"`,
    systemctl: `case $1 in
      show) case " ${units} " in *" $6 "*) echo loaded ;; *) echo not-found ;; esac ;;
      set-property) case $5 in ${refuses}) exit 1 ;; *) echo "$4 $5" >> '${directory}/set' ;; esac ;;
    esac`,
  });
  const text = script.replaceAll('/run/systemd/system', `${directory}/systemd`);
  return (await mustRunScript(fakes.host, text, args, { what: 'Testing' })).stdout;
}

/** What is to run, with what a shell would change. */
const COMMAND = ['printf', '<%s>', '$HOME', 'two words', ''];
const SAID = '<$HOME><two words><>';

test.each([
  ['without a scope', '', true],
  ['without systemd', SCOPE, false],
])('%s it just becomes the command', async (_, scope, hasSystemd) => {
  using hold = temporaryDirectory();
  writeFileSync(hold.at('scope'), scope);
  expect(await runIn(hold.path, SCOPED_SCRIPT, [hold.path, ...COMMAND], { hasSystemd })).toBe(SAID);
  expect(existsSync(hold.at('scope.entered'))).toBe(false);
});

test.each([
  ['', 'video.scope'],
  ['video.scope', 'video-r1.scope'],
])('with the units %j it is in %s, without limits yet', async (units, name) => {
  using hold = temporaryDirectory();
  writeFileSync(hold.at('scope'), SCOPE);
  const said = await runIn(hold.path, SCOPED_SCRIPT, [hold.path, ...COMMAND], { units });
  expect(said.split('\n')).toEqual([
    ...['--quiet', '--scope', '--collect', '--property=TasksMax=infinity', `--unit=${name}`],
    ...['--expand-environment=no', SAID],
  ]);
  expect(readFileSync(hold.at('scope.entered'), 'utf8')).toBe(`${name}\n`);
});

test('limits are set one by one, and those that systemd refuses are told', async () => {
  using hold = temporaryDirectory();
  writeFileSync(hold.at('scope'), SCOPE);
  writeFileSync(hold.at('scope.entered'), 'video-r1.scope\n');
  const limit = `cd "$1"; ${SCOPE_FUNCTIONS} limit_scope`;
  await runIn(hold.path, limit, [hold.path], { refuses: 'CPU*' });
  expect(readFileSync(hold.at('set'), 'utf8')).toBe('video-r1.scope MemoryMax=9\n');
  expect(await runIn(hold.path, UNTIL_LIMITED_SCRIPT, [hold.path])).toBe('CPUQuota=50%\n');
});

test('of a supervisor that was killed before that, none is set; of none in a scope, none is asked for', async () => {
  using hold = temporaryDirectory();
  writeFileSync(hold.at('scope'), SCOPE);
  expect(await runIn(hold.path, UNTIL_LIMITED_SCRIPT, [hold.path])).toBe('');
  expect(await runIn(hold.path, UNTIL_LIMITED_SCRIPT, [hold.at('gone')])).toBe('');
  writeFileSync(hold.at('scope.entered'), 'video.scope\n');
  mkdirSync(hold.at('process'));
  writeFileSync(hold.at('process/lock'), '');
  expect(await runIn(hold.path, UNTIL_LIMITED_SCRIPT, [hold.path])).toBe('MemoryMax=9\nCPUQuota=50%\n');
});
