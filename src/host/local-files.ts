import { constants } from 'node:fs';
import {
  chmod,
  chown,
  type FileHandle,
  lchown,
  link,
  lutimes,
  mkdir,
  open,
  symlink,
  utimes,
} from 'node:fs/promises';
import { FlowError } from '../errors/flow-error.ts';
import type { Before, FileAttributes, HostFiles, OpenFile, ReadableFile } from './files.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;

const OPEN_FLAGS: Readonly<Record<Before, number>> = { none: O_EXCL, emptied: O_TRUNC, kept: 0 };

/** The files of this machine. */
export class LocalFiles implements HostFiles {
  readonly hostName = 'local';

  async openToRead(path: string): Promise<ReadableFile | undefined> {
    try {
      // Who opens a FIFO would wait for its other end.
      const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      const stats = await handle.stat().catch(async (error: unknown) => {
        await handle.close();
        throw error;
      });
      const file = new LocalFile(path, handle);
      return Object.assign(file, { uid: stats.uid, gid: stats.gid, isFile: stats.isFile() });
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw failed(path, error);
    }
  }

  async openToWrite(path: string, before: Before): Promise<OpenFile> {
    const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | OPEN_FLAGS[before];
    return new LocalFile(path, await told(path, open(path, flags, 0o600)));
  }

  makeDirectory(path: string): Promise<void> {
    return told(path, mkdir(path, 0o700));
  }

  symlink(target: string, path: string): Promise<void> {
    return told(path, symlink(target, path));
  }

  link(existing: string, path: string): Promise<void> {
    return told(path, link(existing, path));
  }

  async setAttributes(path: string, { mode, uid, gid, modifiedAtS }: FileAttributes): Promise<void> {
    // An owner that is set takes the set-user-ID bit away.
    await told(path, chown(path, uid, gid));
    await told(path, chmod(path, mode));
    await told(path, utimes(path, modifiedAtS, modifiedAtS));
  }

  async setLinkAttributes(
    path: string,
    { uid, gid, modifiedAtS }: Omit<FileAttributes, 'mode'>,
  ): Promise<void> {
    await told(path, lchown(path, uid, gid));
    await told(path, lutimes(path, modifiedAtS, modifiedAtS));
  }

  async close(): Promise<void> {
    // There is no connection.
  }
}

class LocalFile implements OpenFile {
  readonly #path: string;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  async read(position: number, lengthBytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(lengthBytes);
    const { bytesRead } = await told(this.#path, this.#handle.read(buffer, 0, lengthBytes, position));
    return buffer.subarray(0, bytesRead);
  }

  async write(position: number, data: Buffer): Promise<void> {
    let doneBytes = 0;
    while (doneBytes < data.length) {
      const rest = this.#handle.write(data, doneBytes, data.length - doneBytes, position + doneBytes);
      doneBytes += (await told(this.#path, rest)).bytesWritten;
    }
  }

  setSize(sizeBytes: number): Promise<void> {
    return told(this.#path, this.#handle.truncate(sizeBytes));
  }

  async setAttributes({ mode, uid, gid, modifiedAtS }: FileAttributes): Promise<void> {
    await told(this.#path, this.#handle.chown(uid, gid));
    await told(this.#path, this.#handle.chmod(mode));
    await told(this.#path, this.#handle.utimes(modifiedAtS, modifiedAtS));
  }

  close(): Promise<void> {
    return told(this.#path, this.#handle.close());
  }
}

async function told<Value>(path: string, work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    throw failed(path, error);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function failed(path: string, error: unknown): FlowError {
  return new FlowError('TRANSFER_FAILED', `${path} could not be copied`, {
    host: 'local',
    evidence: error instanceof Error ? error.message : String(error),
    ...(codeOf(error) === 'ENOSPC' ? { hint: 'The disk is full.' } : {}),
  });
}
