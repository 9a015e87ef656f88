// SPDX-License-Identifier: Apache-2.0

/** What stands between `%` and the verb. */
export interface Flags {
  readonly sharp: boolean;
  readonly zero: boolean;
  readonly plus: boolean;
  readonly minus: boolean;
  readonly space: boolean;
  /** `#` before `v`: as Go source has it. */
  readonly sharpV: boolean;
  /** `+` before `v`: large numbers take it for a sign, others for nothing. */
  readonly plusV: boolean;
  readonly width: number | undefined;
  readonly precision: number | undefined;
}

/** Nothing between `%` and the verb. */
export const NO_FLAGS: Flags = {
  sharp: false,
  zero: false,
  plus: false,
  minus: false,
  space: false,
  sharpV: false,
  plusV: false,
  width: undefined,
  precision: undefined,
};

/** What Go takes for a number too large to be a width or a precision. */
const MOST = 1_000_000;

/** Pads to the width, in characters: with zeros where that is said, and always with spaces to the right. */
export function pad(text: string, { width, minus, zero }: Flags): string {
  const missing = (width ?? 0) - length(text);
  if (missing <= 0) return text;
  if (minus) return text + ' '.repeat(missing);
  return (zero ? '0' : ' ').repeat(missing) + text;
}

/** How many characters a text has. */
function length(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Whether a number cannot be a width or a precision. */
export function isTooLarge(value: number): boolean {
  return value > MOST || value < -MOST;
}

/** The directive with its verb, and where the format goes on. */
export interface Directive {
  readonly flags: Flags;
  /** Undefined where the format ends before it. */
  readonly verb: string | undefined;
  /** The argument that it is about. */
  readonly argument: number;
  /** An index in brackets was wrong. */
  readonly isBadIndex: boolean;
  /** What Go says of a width or a precision that is none. */
  readonly complaint: string;
  readonly next: number;
}

/** Where the reading of a format is. */
export interface Place {
  readonly at: number;
  readonly argument: number;
}

/** How to look up the argument at a place, where it is a whole number that fits. */
export interface Arguments {
  readonly count: number;
  readonly whole: (index: number) => number | undefined;
}

/** Reads what follows one `%`. Tells `onIndex` whenever the format says which argument is meant. */
export class DirectiveReader {
  readonly #format: string;
  readonly #args: Arguments;
  /** Some directive has named its argument: then nothing is said of those that were not used. */
  isReordered = false;
  #at = 0;
  #argument = 0;
  #isGood = true;
  #isAfterIndex = false;
  #complaint = '';

  constructor(format: string, args: Arguments) {
    this.#format = format;
    this.#args = args;
  }

  /** The directive whose `%` stands before `at`. */
  read({ at, argument }: Place): Directive {
    [this.#at, this.#argument, this.#isGood, this.#isAfterIndex, this.#complaint] = [
      at,
      argument,
      true,
      false,
      '',
    ];
    const marks = this.#marks();
    this.#index();
    const { width, isLeft } = this.#width();
    const precision = this.#precision();
    if (!this.#isAfterIndex) this.#index();
    const verb = this.#verb();
    const isV = verb === 'v' || verb === 'w';
    return {
      flags: {
        sharp: marks.has('#') && !isV,
        sharpV: marks.has('#') && isV,
        plus: marks.has('+') && !isV,
        plusV: marks.has('+') && isV,
        space: marks.has(' '),
        minus: marks.has('-') || isLeft,
        zero: marks.has('0') && !isLeft,
        width,
        precision,
      },
      verb,
      argument: this.#argument,
      isBadIndex: !this.#isGood,
      complaint: this.#complaint,
      next: this.#at,
    };
  }

  #marks(): ReadonlySet<string> {
    const marks = new Set<string>();
    for (let mark = this.#format[this.#at]; mark !== undefined && '#0+- '.includes(mark); ) {
      marks.add(mark);
      this.#at += 1;
      mark = this.#format[this.#at];
    }
    return marks;
  }

  #width(): { readonly width: number | undefined; readonly isLeft: boolean } {
    if (this.#format[this.#at] !== '*') {
      const width = this.#number();
      if (this.#isAfterIndex && width !== undefined) this.#isGood = false;
      return { width, isLeft: false };
    }
    this.#at += 1;
    const width = this.#fromArgument();
    if (width === undefined) this.#complaint += '%!(BADWIDTH)';
    this.#isAfterIndex = false;
    return { width: width === undefined ? undefined : Math.abs(width), isLeft: (width ?? 0) < 0 };
  }

  #precision(): number | undefined {
    if (this.#format[this.#at] !== '.') return undefined;
    this.#at += 1;
    if (this.#isAfterIndex) this.#isGood = false;
    this.#index();
    if (this.#format[this.#at] !== '*') return this.#number() ?? 0;
    this.#at += 1;
    const precision = this.#fromArgument();
    const isNone = precision === undefined || precision < 0;
    if (isNone) this.#complaint += '%!(BADPREC)';
    this.#isAfterIndex = false;
    return isNone ? undefined : precision;
  }

  #fromArgument(): number | undefined {
    if (this.#argument >= this.#args.count) return undefined;
    const value = this.#args.whole(this.#argument);
    this.#argument += 1;
    return value === undefined || isTooLarge(value) ? undefined : value;
  }

  /** One that is too large ends the format. */
  #number(): number | undefined {
    const digits = /^[0-9]*/.exec(this.#format.slice(this.#at, this.#at + 16))?.[0] ?? '';
    if (digits === '') return undefined;
    const value = Number(digits);
    if (value > MOST && Number(digits.slice(0, -1)) > MOST) {
      this.#at = this.#format.length;
      return undefined;
    }
    this.#at += digits.length;
    return value;
  }

  /** An argument by its place, such as `[2]`. */
  #index(): void {
    this.#isAfterIndex = false;
    if (this.#format[this.#at] !== '[') return;
    this.isReordered = true;
    const close = this.#format.indexOf(']', this.#at + 1);
    if (close === -1) {
      this.#isGood = false;
      this.#at += 1;
      return;
    }
    const inside = this.#format.slice(this.#at + 1, close);
    this.#at = close + 1;
    const index = /^[0-9]{1,7}$/.test(inside) ? Number(inside) - 1 : undefined;
    this.#isAfterIndex = index !== undefined;
    if (index !== undefined && index >= 0 && index < this.#args.count) this.#argument = index;
    else this.#isGood = false;
  }

  #verb(): string | undefined {
    const code = this.#format.codePointAt(this.#at);
    if (code === undefined) return undefined;
    const verb = String.fromCodePoint(code);
    this.#at += verb.length;
    return verb;
  }
}
