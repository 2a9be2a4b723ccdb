/** What a file is besides its contents. */
export interface FileAttributes {
  /** The permissions alone, with set-user-ID, set-group-ID and the sticky bit. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970: SFTP's version 3, which OpenSSH speaks, has no finer ones. */
  readonly modifiedAtS: number;
}

/** What becomes of a file that is there already: there must be none, it is emptied, or it keeps what is not written to. */
export type Before = 'none' | 'emptied' | 'kept';

/** An open file of a host. */
export interface OpenFile {
  /** At least one byte unless the file ends at `position`, and `lengthBytes` at most. */
  read(position: number, lengthBytes: number): Promise<Buffer>;
  write(position: number, data: Buffer): Promise<void>;
  setSize(sizeBytes: number): Promise<void>;
  setAttributes(attributes: FileAttributes): Promise<void>;
  close(): Promise<void>;
}

/** One that was opened to be read: who had a path listed may have put a link to something else there since. */
export interface ReadableFile extends OpenFile, Pick<FileAttributes, 'uid' | 'gid'> {
  readonly isFile: boolean;
}

/**
 * The files of a host, by their contents and without its shell: of this machine by its kernel, of another by SFTP. What is made is
 * for its owner only, until it is given attributes.
 *
 * All throw FlowError: HOST_UNREACHABLE when the connection is lost, after which nothing else can be done with it; else
 * TRANSFER_FAILED with what the system said.
 */
export interface HostFiles {
  readonly hostName: string;
  /** Undefined when there is no such file. */
  openToRead(path: string): Promise<ReadableFile | undefined>;
  /** Does not follow a symbolic link when it creates. */
  openToWrite(path: string, before: Before): Promise<OpenFile>;
  makeDirectory(path: string): Promise<void>;
  /** A symbolic link. */
  symlink(target: string, path: string): Promise<void>;
  /** A hard link. */
  link(existing: string, path: string): Promise<void>;
  setAttributes(path: string, attributes: FileAttributes): Promise<void>;
  /** Of a symbolic link itself. */
  setLinkAttributes(path: string, attributes: Omit<FileAttributes, 'mode'>): Promise<void>;
  /** Ends what waits for an answer, with HOST_UNREACHABLE. Idempotent; never throws. */
  close(): Promise<void>;
}
