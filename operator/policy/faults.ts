// SPDX-License-Identifier: Apache-2.0

/** Why a module is refused. */
export const ModuleFault = {
  /** More bytes, functions, or table or memory than allowed. */
  TooLarge: 'TooLarge',
  /** No module, or one that uses what no policy has a use for. */
  Malformed: 'Malformed',
  /** It asks its host for something that policies are not given. */
  Import: 'Import',
  /** A function of OPA's ABI is missing, or has another signature. */
  Export: 'Export',
  /** Not the one memory that its host gives it. */
  Memory: 'Memory',
  /** Data or functions that would be put where nothing is. */
  Segment: 'Segment',
  /** An ABI this host does not speak. */
  Abi: 'Abi',
  /** It uses a builtin that packs may not use. */
  Builtin: 'Builtin',
  /** It has no entry point, or does not tell which it has. */
  Entrypoint: 'Entrypoint',
} as const;
/** One of them. */
export type ModuleFault = (typeof ModuleFault)[keyof typeof ModuleFault];

/** A fault, with what was found and what would pass. */
export interface Fault {
  readonly reason: ModuleFault;
  readonly message: string;
}

/** How large a module may be. */
export interface ModuleLimits {
  readonly maxBytes: number;
  /** Of 64 KiB each: what its memory may need to begin with. */
  readonly memoryPages: number;
  readonly maxTables: number;
  readonly maxTableElements: number;
  readonly maxFunctions: number;
  /** Of one function. What is larger takes V8 long to compile. */
  readonly maxFunctionBytes: number;
}

/** Twenty times the largest that gatekeeper-library needs; 49 policies in one take 1.1 MB. */
export const MODULE_LIMITS: ModuleLimits = {
  maxBytes: 16 * 1024 * 1024,
  memoryPages: 256,
  maxTables: 1,
  maxTableElements: 16_384,
  maxFunctions: 32_768,
  maxFunctionBytes: 1024 * 1024,
};
