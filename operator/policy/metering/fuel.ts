// SPDX-License-Identifier: Apache-2.0

/** Under this number the host is asked, by any of the functions for builtins, whether there is time left. No builtin has one below zero. */
export const TIME_CHECK = -1;

/** Under these, whether it can answer at once what OPA's runtime has a function for: `regex.match`, and `regex.find_all_string_submatch_n`. */
export const REGEX_MATCH = -2;
export const REGEX_FIND = -3;

/** Units until the host is asked again: some tenths of a millisecond of usual code, some milliseconds of the worst. */
export const FUEL = 100_000;

/** Bytes of code for one unit. */
export const BYTES_PER_UNIT = 32;

/** Of memory that is filled or copied, a unit is two to the power of this. */
export const FILL_SHIFT = 8;

/** What it takes to ask for more memory. */
export const FUEL_OF_GROWTH = 512;

/** Loops count in a local of their function, which is quicker, and take so much at once. */
export const LOOPS_AT_ONCE = 128;

/** What the loops of a function may do, each time it is called, before they take the first. */
export const FREE_IN_LOOPS = 16;

/** A function up to so many bytes, with all that it calls, takes nothing where it begins: who calls it takes it, needed or not. */
export const MOST_CARRIED = 512;

/** What is taken at once for calls: for what goes beyond, in bytes, it is taken where it is called. */
export const MOST_BEFOREHAND = 65_536;

/** Bytes of code that a local, a parameter or a result stands for: each call clears or moves it, which takes the time of a short instruction. */
export const BYTES_PER_LOCAL = 2;
