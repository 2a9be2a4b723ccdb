/** What a person sees: the text of a terminal whose program wrote `output`. */
export interface Screen {
  readonly text: string;
  readonly isCursorShown: boolean;
}

// oxlint-disable-next-line no-control-regex -- sequences begin with one
const SEQUENCE = /^\u001b\[(\??)(\d*)([A-Za-z])/;

/**
 * A terminal of so many columns, as far as the tree needs one. Screens are taken before each redraw, and at the end.
 * @throws Error at a sequence that the tree has no business to write
 */
export function screensOf(output: string, columns: number): Screen[] {
  const screens: Screen[] = [];
  let lines = [''];
  let row = 0;
  let column = 0;
  let isCursorShown = true;
  const take = (): void => {
    const text = lines.map((line) => line.trimEnd()).join('\n');
    const screen = { text: `${withStillSpinner(text).trimEnd()}\n`, isCursorShown };
    if (screens.at(-1)?.text !== screen.text) screens.push(screen);
    else screens[screens.length - 1] = screen;
  };
  const put = (character: string): void => {
    if (column === columns) [row, column] = [row + 1, 0];
    lines[row] ??= '';
    const line = (lines[row] ?? '').padEnd(column);
    lines[row] = line.slice(0, column) + character + line.slice(column + 1);
    column += 1;
  };
  let isErasing = false;
  for (let rest = output; rest !== '';) {
    const sequence = SEQUENCE.exec(rest);
    const [whole = '', isPrivate, number, final] = sequence ?? [rest[0]];
    rest = rest.slice(whole.length);
    const erases = final === 'K' || final === 'A' || final === 'G';
    if (erases && !isErasing) take();
    isErasing = erases;
    if (sequence === null) {
      if (whole === '\n') row += 1;
      else if (whole === '\r') column = 0;
      else if (/\p{Cc}/u.test(whole)) throw new Error(`the control character ${JSON.stringify(whole)}`);
      else put(whole);
      lines[row] ??= '';
    } else if (final === 'A') row = Math.max(0, row - Number(number || 1));
    else if (final === 'K' && number === '2') lines[row] = '';
    else if (final === 'G') {
      column = Number(number || 1) - 1;
      // What was drawn below is erased: nothing is left of it.
      if (lines.slice(row).every((line) => line === '')) lines = lines.slice(0, row + 1);
    } else if (isPrivate === '?' && number === '25') isCursorShown = final === 'h';
    else if (final !== 'm') throw new Error(`the sequence ${JSON.stringify(whole)}`);
  }
  take();
  return screens;
}

/** The spinner turns with the clock. */
function withStillSpinner(text: string): string {
  return text.replaceAll(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/g, '⠿');
}
