// The downtime of a process moved by criu-flow against the three-line script that people write.
import { moveByCriuFlow, moveByScript, moveCounter, onLab } from './counter.mjs';
import { median, spread } from './statistics.mjs';

/**
 * The gap that the process itself sees, both ways in turn on the same lab.
 * @returns whether the ratio is within its limit
 */
export async function measureDowntime(rounds) {
  let isGood = true;
  await onLab({ name: 'bench' }, (lab) => {
    console.log(
      `\n| 64 MiB process, gap that it sees, median of ${rounds} | script | criu-flow | ratio |\n| --- | --- | --- | --- |`,
    );
    for (const content of ['records', 'random']) {
      const script = [];
      const flow = [];
      for (let round = 0; round < rounds; round++) {
        script.push(moveCounter(lab, { memoryMiB: 64, content }, moveByScript).gapMs);
        flow.push(moveCounter(lab, { memoryMiB: 64, content }, moveByCriuFlow('transfer/rsync')).gapMs);
      }
      const ratio = median(flow) / median(script);
      if (content === 'records') isGood &&= ratio <= 0.5;
      console.log(
        `| memory of ${content} | ${spread(script)} | ${spread(flow)} | ${ratio.toFixed(2)}${content === 'records' ? ' (limit 0.50)' : ''} |`,
      );
    }
  });
  return isGood;
}
