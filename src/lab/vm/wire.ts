import { once } from 'node:events';
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
    const onEnd = (): void => this.#onWord();
    createInterface(socket)
      .on('line', (line) => {
        this.#said.add(line.trim());
        this.#onWord();
      })
      // It passes on what the socket has: a QEMU that is killed resets its connections.
      .on('error', onEnd);
    socket.on('error', onEnd).on('close', onEnd);
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

  /** Whether the machine is off, or QEMU gone. */
  get isCut(): boolean {
    return this.#socket.destroyed;
  }

  /** Waits for a word. @returns whether it came, before the machine went off or the time was over */
  async until(word: string, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (came: boolean): void => {
        clearTimeout(timer);
        this.#onWord = () => {};
        resolve(came);
      };
      const timer = setTimeout(() => settle(false), timeoutMs);
      this.#onWord = () => {
        if (this.#said.has(word)) settle(true);
        else if (this.isCut) settle(false);
      };
      this.#onWord();
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
