import { StringDecoder } from 'node:string_decoder';

/** Characters after which a line without an end is handed over in pieces, so that memory stays bounded. */
const longestLine = 64 * 1024;

/**
 * Cuts a stream of UTF-8 into lines at `\n`, `\r` and `\r\n`, each handed over as soon as its end has arrived:
 * progress meters end their lines with `\r` and would otherwise be heard one update late.
 */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #skipNewline = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let text = this.#decoder.write(chunk);
    if (text === '') return;
    // The second half of a `\r\n` that was cut in two by the channel.
    if (this.#skipNewline && text.startsWith('\n')) text = text.slice(1);
    this.#skipNewline = text.endsWith('\r');
    const pieces = text.split(/\r\n|\n|\r/);
    const last = pieces.pop() ?? '';
    for (const piece of pieces) {
      const line = this.#rest + piece;
      this.#rest = '';
      this.#onLine(line);
    }
    this.#rest += last;
    if (this.#rest.length > longestLine) this.#flush();
  }

  /** Hands over what is left, a last line that has no end. Call it once, when the stream has ended. */
  end(): void {
    this.#rest += this.#decoder.end();
    this.#flush();
  }

  #flush(): void {
    const line = this.#rest;
    this.#rest = '';
    if (line !== '') this.#onLine(line);
  }
}
