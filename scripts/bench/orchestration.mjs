// What criu-flow itself adds to a move of next to nothing.
import { IS_TAKEN, moveByCriuFlow, moveByScript, moveCounter, onLab } from './counter.mjs';
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
    const timed = (move) => (onLabOf, pid) => {
      const beganAt = performance.now();
      const moved = move(onLabOf, pid);
      return moved === IS_TAKEN ? IS_TAKEN : { moved, ms: performance.now() - beganAt };
    };
    const byScript = timed(moveByScript);
    const byFlow = timed(moveByCriuFlow('transfer/rsync'));
    for (let round = 0; round < rounds; round++) {
      script.push(moveCounter(lab, counter, byScript).moved.ms);
      const {
        gapMs,
        moved: { moved, ms },
      } = moveCounter(lab, counter, byFlow);
      run.push(ms);
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
