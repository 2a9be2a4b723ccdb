import { addAbortListener, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds from the start of a QEMU until it listens. */
const openTimeoutMs = 60_000;

/** The second serial port of a machine, on which it says how far it is, a word on each line. */
export class Wire {
  readonly #socket: Socket;
  readonly #said = new Set<string>();
  #onWord: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface(socket).on('line', (line) => {
      this.#said.add(line.trim());
      this.#onWord();
    });
    socket.on('error', () => this.#onWord()).on('close', () => this.#onWord());
  }

  /**
   * Waits until QEMU listens.
   * @param path its unix socket
   * @throws Error ECONNREFUSED, ENOENT when it does not within a minute
   */
  static async open(path: string): Promise<Wire> {
    const deadlineMs = performance.now() + openTimeoutMs;
    for (;;) {
      const socket = connect(path);
      try {
        await once(socket, 'connect');
        return new Wire(socket);
      } catch (error) {
        if (performance.now() > deadlineMs) throw error;
        await sleep(20);
      }
    }
  }

  /** Writes a line. */
  say(line: string): void {
    this.#socket.write(`${line}\n`);
  }

  /** Waits for a word. @returns whether it came, before the machine went off or the time was over */
  async until(word: string, timeoutMs: number): Promise<boolean> {
    const signal = AbortSignal.timeout(timeoutMs);
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#said.has(word)) resolve(true);
        else if (this.#socket.destroyed || signal.aborted) resolve(false);
      };
      this.#onWord = look;
      addAbortListener(signal, look);
      look();
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
