import type { FailureData } from './event.ts';
import { FlowError } from '../errors/flow-error.ts';

/** Turns whatever was thrown into plain data: a FlowError keeps its details, anything else is a bug with its stack. */
export function toFailureData(error: unknown): FailureData {
  if (error instanceof FlowError) {
    const { code, message, hint, command, host, evidence, location } = error;
    return {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(command === undefined ? {} : { command }),
      ...(host === undefined ? {} : { host }),
      ...(evidence === undefined ? {} : { evidence }),
      ...(location === undefined ? {} : { location }),
    };
  }
  if (error instanceof Error) {
    const message = error.message === '' ? error.name : error.message;
    return { code: 'BUG', message, ...(error.stack === undefined ? {} : { stack: error.stack }) };
  }
  return { code: 'BUG', message: `a value that is no error was thrown: ${describe(error)}` };
}

function describe(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    // A cycle or a BigInt: the type is all that can be said.
    return typeof value;
  }
}
