// What criu-flow itself adds to a move of next to nothing.
import { moveByCriuFlow, moveByScript, moveCounter, onLab } from './counter.mjs';
import { median, spread } from './statistics.mjs';

/** Milliseconds. */
const MOST_OF_PAUSE = 150;
const MOST_OF_RUN = 1000;

/** @returns whether what it adds is within its limits */
export async function measureOrchestration(rounds) {
  const script = [];
  const run = [];
  const pause = [];
  const ofCriu = [];
  await onLab({ name: 'bench' }, (lab) => {
    const counter = { memoryMiB: 1, content: 'random' };
    const timed = (times, move) => (pid) => {
      const beganAt = performance.now();
      const moved = move(lab, pid);
      times.push(performance.now() - beganAt);
      return moved;
    };
    const byScript = timed(script, moveByScript);
    const byFlow = timed(run, moveByCriuFlow('transfer/rsync'));
    for (let round = 0; round < rounds; round++) {
      moveCounter(lab, counter, (_, pid) => byScript(pid));
      const { gapMs, moved } = moveCounter(lab, counter, (_, pid) => byFlow(pid));
      pause.push(gapMs);
      ofCriu.push(moved.criuMs.dump + moved.criuMs.restore);
    }
  });
  const more = pause.map((ms, index) => ms - ofCriu[index]);
  const longer = run.map((ms, index) => ms - script[index]);
  console.log(`\n| 1 MiB process, median of ${rounds} | | criu-flow adds |\n| --- | --- | --- |`);
  console.log(
    `| pause | ${spread(pause)}, of these criu ${spread(ofCriu)} | ${spread(more)} (limit ${MOST_OF_PAUSE} ms) |`,
  );
  console.log(
    `| whole run | ${spread(run)}, the script ${spread(script)} | ${spread(longer)} (limit ${MOST_OF_RUN} ms) |`,
  );
  return median(more) <= MOST_OF_PAUSE && median(longer) <= MOST_OF_RUN;
}
