import { Argument, type Command } from 'commander';
import { SHELLS, type Shell } from './completion/scripts.ts';

/** What lets a shell complete the command line: `completion` for people, `complete` for the script that it prints. */
export function addCompletion(program: Command, done: (exitCode: number) => void): void {
  program
    .command('completion')
    .description('print a script with which a shell completes commands, options and their values')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', COMPLETION_HELP)
    .action(async (shell: Shell) => {
      const { completionCommand } = await import('./commands/completion.ts');
      done(completionCommand(shell));
    });

  program
    .command('complete', { hidden: true })
    .description('say how the last word may go on, for the scripts that `completion` prints')
    .argument('[words...]', 'the words after `criu-flow`, after --')
    .action(async (words: readonly string[]) => {
      const { completeCommand } = await import('./commands/completion.ts');
      done(await completeCommand(program, words));
    });
}

const COMPLETION_HELP = `
Examples:
  criu-flow completion bash    into ~/.bashrc:                   source <(criu-flow completion bash)
  criu-flow completion zsh     into ~/.zshrc, after compinit:    source <(criu-flow completion zsh)
  criu-flow completion fish    into ~/.config/fish/config.fish:  criu-flow completion fish | source

The script asks criu-flow at each Tab: it need not be printed again after an update.`;
