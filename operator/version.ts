// SPDX-License-Identifier: Apache-2.0

/** Put in where a program is built (hack/build/bundle.ts). */
declare const NEXUSOS_VERSION: string | undefined;

/** The version of NexusOS that this program is of; undefined where it runs from its sources. */
export const PROGRAM_VERSION: string | undefined =
  typeof NEXUSOS_VERSION === 'string' ? NEXUSOS_VERSION : undefined;
