// The downtime of a process whose memory is fetched after it, against the three-line script and against its own with little memory.
import { gapOf, moveByCriuFlow, moveByScript, on, onLab } from './counter.mjs';
import { median, spread } from './statistics.mjs';

const SIZES_MIB = [64, 1024, 4096];
/** The script takes a minute for more. */
const MOST_BY_SCRIPT_MIB = 1024;
/** At 1 GiB. */
const MOST_OF_SCRIPT = 1 / 20;
/** At 4 GiB. */
const MOST_OF_64_MIB = 1.3;

/** @returns whether the pause is within its limits */
export async function measurePostCopy(rounds) {
  const move = moveByCriuFlow('transfer/rsync', 'post-copy');
  const gaps = await onLab({ name: 'bench' }, (lab) => {
    on(lab, 'a', 'sysctl -q -w fs.pipe-max-size=4194304');
    const found = SIZES_MIB.map((memoryMiB) => ({ memoryMiB, script: [], postCopy: [] }));
    for (let round = 0; round < rounds; round++) {
      for (const { memoryMiB, script, postCopy } of found) {
        const options = { memoryMiB, content: 'random' };
        if (memoryMiB <= MOST_BY_SCRIPT_MIB) script.push(gapOf(lab, options, moveByScript));
        postCopy.push(gapOf(lab, options, move));
      }
    }
    return found;
  });
  console.log(`\n| random memory, gap, median of ${rounds} | script | post-copy | to script | to 64 MiB |`);
  console.log('| --- | --- | --- | --- | --- |');
  const least = median(gaps[0].postCopy);
  let isGood = true;
  for (const { memoryMiB, script, postCopy } of gaps) {
    const toScript = script.length > 0 ? median(postCopy) / median(script) : undefined;
    const toLeast = median(postCopy) / least;
    if (memoryMiB === 1024) isGood &&= toScript <= MOST_OF_SCRIPT;
    if (memoryMiB === 4096) isGood &&= toLeast <= MOST_OF_64_MIB;
    console.log(
      `| ${memoryMiB} MiB | ${script.length > 0 ? spread(script) : '-'} | ${spread(postCopy)} | ${toScript === undefined ? '-' : toScript.toFixed(3)} | ${toLeast.toFixed(2)} |`,
    );
  }
  console.log(
    `Limits: ${MOST_OF_SCRIPT.toFixed(3)} of the script at 1 GiB; ${MOST_OF_64_MIB} times 64 MiB at 4 GiB.`,
  );
  return isGood;
}
