// Compiles src to dist, and puts the command into few files beside it: to load 150 took as long as to check a recipe.
// Plain JavaScript: it runs before anything is built.
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}/dist`, { recursive: true, force: true });
const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);
await bundleCommand();

/** With the packages that it uses, whose licences ask for their words to go with them. What a command loads late stays apart. */
async function bundleCommand() {
  const directory = `${root}/dist/bin`;
  const bundle = await rolldown({
    cwd: root,
    input: { 'criu-flow': 'dist/cli/main.js' },
    platform: 'node',
    // Of its CommonJS, which Node.js would be given, nothing can be left out that nobody uses.
    resolve: { alias: { yaml: `${root}/node_modules/yaml/browser/dist/index.js` } },
    // A bundler puts CommonJS into a function, so that all that is in it is parsed twice: a sixth of the time of `validate`.
    // ssh2 looks for what may have been compiled for it, beside itself; only SFTP needs it.
    external: [/\/schemas\/.*\.cjs$/, 'ssh2-sftp-client'],
    // A warning would be of a package that is not bundled as it is meant.
    onLog: (level, log) => {
      throw new Error(`${level} while the command is bundled: ${log.message}`);
    },
  });
  const { output } = await bundle.write({
    dir: directory,
    // Node.js loads CommonJS in less time.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    // The words of the licences go with it in a file.
    comments: false,
    codeSplitting: {
      groups: [
        // All that `--version` needs.
        { name: 'package', test: /dist\/package\//, priority: 1 },
        // Each command that reads a recipe needs all of this.
        {
          name: 'language',
          test: /dist\/(recipe|template)\/|node_modules\/(yaml|nunjucks|fastest-levenshtein|shlex)\//,
        },
      ],
    },
  });
  await bundle.close();
  chmodSync(`${directory}/criu-flow.cjs`, 0o755);
  writeFileSync(
    `${directory}/licences.txt`,
    packagesOf(output.flatMap(({ moduleIds }) => moduleIds))
      .map(licenceOf)
      .join('\n'),
  );
}

/** The directories of the packages that modules are of. */
function packagesOf(moduleIds) {
  const directories = moduleIds.map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0]);
  return [...new Set(directories)].filter((directory) => directory !== undefined);
}

function licenceOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'));
  const file = readdirSync(directory).find((entry) => /^licen[cs]e/i.test(entry));
  return `${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(`${directory}/${file}`, 'utf8')}`;
}
