// Plays a scene to the built reporter, on the terminal that this runs in. A scene is a JSON file: events, texts to
// tell, texts to wait for until they are on the screen, and `leave`.
import { readFileSync } from 'node:fs';
import { createReporter } from '../../dist/report/create-reporter.js';

const scene = JSON.parse(readFileSync(process.argv[2], 'utf8'));

let written = '';
let onWrite = () => {};
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (text) => {
  written += text;
  onWrite();
  return write(text);
};
const isOnScreen = (text) =>
  new Promise((resolve) => {
    onWrite = () => {
      if (written.includes(text)) resolve();
    };
    onWrite();
  });

let nowMs = 0;
const reporter = await createReporter({
  kind: 'tree',
  stream: process.stdout,
  errorStream: process.stderr,
  color: false,
  now: () => (nowMs += 1000),
});
for (const { event, tell, until, leave } of scene) {
  if (event) reporter.onEvent(event);
  if (tell) reporter.tell(tell);
  if (until) await isOnScreen(until);
  if (leave) process.exit(130);
}
await reporter.finish();
