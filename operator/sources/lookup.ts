// SPDX-License-Identifier: Apache-2.0
import { lookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** Code of the error of a name that has an address which is not allowed. */
export const ADDRESS_REFUSED = 'ERR_NEXUSOS_ADDRESS_REFUSED';

/**
 * Looks up names for connections, and refuses those with an address that is not allowed. All of them must be: which of them is connected to
 * is not for us to say.
 */
export function lookupWhere(isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, '');
      const odd = addresses.some(({ address }) => !isAllowed(address));
      const [first] = addresses;
      if (odd || first === undefined) {
        const refusal: NodeJS.ErrnoException = new Error('an address that is not allowed');
        refusal.code = ADDRESS_REFUSED;
        return callback(refusal, '');
      }
      return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

/** Codes of an error and of what it came from. */
export function codesOf(error: unknown): readonly string[] {
  const codes: string[] = [];
  const open: unknown[] = [error];
  for (let one = open.shift(); one instanceof Error && codes.length < 8; one = open.shift()) {
    const { code } = one as NodeJS.ErrnoException;
    if (code !== undefined) codes.push(code);
    open.push(one.cause, ...(one instanceof AggregateError ? one.errors : []));
  }
  return codes;
}
