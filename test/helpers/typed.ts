import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { main } from './cli.ts';
import type { TemporaryDirectory } from './temporary-directory.ts';

const TAB = '\t';
/** Inserts all completions, in both shells. */
const ALL = '\u001b*';
const LINE_START = '\u0001';
const LINE_END = '\u0005';
const CLEAR_LINE = '\u0015';

const RC = {
  bash: `PS1='READY> '
bind 'set enable-bracketed-paste off'
source <(criu-flow completion bash)
`,
  zsh: `PS1='READY> '
unsetopt PROMPT_SP
autoload -U compinit && compinit -u -D
source <(criu-flow completion zsh)
all() { _main_complete; compstate[insert]=all }
zle -C insert-all complete-word all
bindkey -e
# Tab of zsh itself runs a command substitution that it stands after.
bindkey '\\t' complete-word
bindkey '\\e*' insert-all
`,
};

/** The prompt, and what zsh sends after it. */
const PROMPT = 'READY> (?:\\u001b\\[\\?2004h)?$';

/** A PATH on which there is the command that was built. */
export function pathWithCriuFlow(home: TemporaryDirectory): string {
  mkdirSync(home.at('bin'), { recursive: true });
  symlinkSync(main, home.at('bin', 'criu-flow'));
  return `${home.at('bin')}:${process.env['PATH']}`;
}

/** A real interactive shell on a terminal of its own, with our completions. */
export class TypingShell implements Disposable {
  readonly #child;
  #output = '';
  #onOutput: () => void = () => {};

  constructor(shell: 'bash' | 'zsh', home: TemporaryDirectory, env: NodeJS.ProcessEnv = {}) {
    writeFileSync(home.at('.bashrc'), RC.bash);
    writeFileSync(home.at('.zshrc'), RC.zsh);
    const command = shell === 'bash' ? 'bash --noprofile --rcfile .bashrc -i' : 'zsh -d -i';
    this.#child = spawn('script', ['-qfec', `stty cols 1000 && exec ${command}`, '/dev/null'], {
      cwd: home.path,
      env: {
        PATH: pathWithCriuFlow(home),
        HOME: home.path,
        ZDOTDIR: home.path,
        TERM: 'dumb',
        LC_ALL: 'C.UTF-8',
        INPUTRC: '/dev/null',
        ...env,
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#onOutput();
    });
  }

  /** The words that a line has when its last one was completed; all that it could be with `all`. */
  async complete(line: string, { all = false }: { readonly all?: boolean } = {}): Promise<string[]> {
    await this.#seen(new RegExp(PROMPT));
    this.#send(`${line}${all ? ALL : TAB}${LINE_START}printf '<%s>' ${LINE_END}; echo; echo "DO""NE"\r`);
    const [, words = ''] = await this.#seen(new RegExp(`((?:<[^<>\\n]*>)+)\\r?\\nDONE\\r?\\n[^]*${PROMPT}`));
    return words.slice(1, -1).split('><');
  }

  /** Presses Tab after a line, and throws the line away. */
  async pressTab(line: string): Promise<void> {
    await this.#seen(new RegExp(PROMPT));
    this.#send(`${line}${TAB}${CLEAR_LINE}echo "DO""NE"\r`);
    await this.#seen(new RegExp(`\\nDONE\\r?\\n[^]*${PROMPT}`));
  }

  #send(keys: string): void {
    this.#output = '';
    this.#child.stdin.write(keys);
  }

  #seen(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(
        () => reject(new Error(`${pattern} was not seen in ${JSON.stringify(this.#output)}`)),
        20_000,
      );
      this.#onOutput = () => {
        const found = pattern.exec(this.#output);
        if (!found) return;
        clearTimeout(deadline);
        resolve(found);
      };
      this.#onOutput();
    });
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGHUP');
  }
}
