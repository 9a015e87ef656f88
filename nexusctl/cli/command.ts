// SPDX-License-Identifier: Apache-2.0

/** What a command ends with. Scripts tell by it what happened. */
export const EXIT = {
  /** Done, and the answer is yes. */
  ok: 0,
  /** Done, and the answer is no: tests failed, something is refused, verdicts differ. */
  no: 1,
  /** Not done: what was given cannot be used. */
  usage: 2,
  /** Not done: what is needed for it is not there. */
  unavailable: 3,
} as const;
/** One of these codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What stands behind the name of a command. */
export interface Argument {
  readonly name: string;
  readonly what: string;
  readonly isOptional?: boolean;
  /** All that it can be, for shells to offer; empty: anything. */
  readonly values?: readonly string[];
}

/** What is given by name: `--inventory FOLDER`, or `--merged`. */
export interface Flag {
  readonly name: string;
  /** Stands for its value in help; a flag without one is given or not. */
  readonly value?: string;
  readonly what: string;
  readonly default?: string;
  /** All that its value can be; empty: anything. */
  readonly values?: readonly string[];
}

/** A table as people read it. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What a command has to say: to programs the value, to people the rest. */
export interface Outcome {
  readonly code: ExitCode;
  readonly value: unknown;
  /** Lines before the table. */
  readonly before?: readonly string[];
  readonly table?: Table;
  /** Lines after it. */
  readonly after?: readonly string[];
}

/** One call of a command. */
export interface Call {
  /** As many as the command has arguments; those that are optional and not given are missing. */
  readonly args: readonly string[];
  /** By name, with defaults. */
  readonly flags: Readonly<Record<string, string | true>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** To where relative paths lead from. */
  readonly cwd: string;
}

/** A command of `nexusctl`. */
export interface Command {
  /** `['pack', 'test']`. */
  readonly path: readonly string[];
  /** One line. */
  readonly summary: string;
  /** What else there is to know, in whole sentences. */
  readonly about: string;
  readonly args: readonly Argument[];
  readonly flags: readonly Flag[];
  readonly examples: readonly string[];
  readonly run: (call: Call) => Promise<Outcome>;
}

/** A call that cannot be carried out, and why, in words for people. */
export class CommandError extends Error {
  readonly code: ExitCode;
  /** Further lines: everything that is wrong, one each. */
  readonly details: readonly string[];

  constructor(code: ExitCode, message: string, details: readonly string[] = []) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** Formats of what is printed. */
const FORMATS = ['table', 'json', 'yaml'];

/** Values in words: `table, json or yaml`. */
export function eitherOf(values: readonly string[]): string {
  return `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

/** Flags that every command has. */
export const COMMON_FLAGS: readonly Flag[] = [
  {
    name: 'output',
    value: 'FORMAT',
    what: `${eitherOf(FORMATS)}; -o for short`,
    default: 'table',
    values: FORMATS,
  },
  { name: 'help', what: 'says what the command does; -h for short' },
];

/** The value of a flag that has one, given or by default. */
export function flagValue({ flags }: Call, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

/** The value of an argument that must be there. */
export function argumentAt({ args }: Call, index: number): string {
  const value = args[index];
  if (value === undefined) throw new Error(`no argument ${index}, though it must be given`);
  return value;
}
