// SPDX-License-Identifier: Apache-2.0
import { lookup, type LookupAddress, promises } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { callbackify } from 'node:util';

/** Code of the error of a name that has an address which is not allowed. */
export const ADDRESS_REFUSED = 'ERR_NEXUSOS_ADDRESS_REFUSED';

/** Finds the addresses of a name. */
export type FindAddresses = (hostname: string) => Promise<readonly LookupAddress[]>;

/** For one server of names, and in all. */
const NAME_MS = 2000;
const NAME_TRIES = 2;

/**
 * Looks up names for connections, and refuses those with an address that is not allowed. All of them must be: which of them is connected to
 * is not for us to say.
 */
export function lookupWhere(
  isAllowed: (address: string) => boolean,
  find: FindAddresses = findAsMachine,
): LookupFunction {
  const findAllowed = callbackify(async (hostname: string) => {
    const addresses = await find(hostname);
    const [first] = addresses;
    if (first === undefined || addresses.some(({ address }) => !isAllowed(address))) throw refusal();
    return { first, addresses };
  });
  return (hostname, options, callback) =>
    findAllowed(hostname, (error, found) => {
      if (error !== null) callback(error, '');
      else if (options.all === true) callback(null, [...found.addresses]);
      else callback(null, found.first.address, found.first.family);
    });
}

function refusal(): NodeJS.ErrnoException {
  return Object.assign(new Error('an address that is not allowed'), { code: ADDRESS_REFUSED });
}

/** As the machine finds names: with those that it has itself, and with its domains to search. */
function findAsMachine(hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) =>
      error === null ? resolve(addresses) : reject(error),
    );
  });
}

/**
 * Asks the servers of names that the machine asks, or `servers`, and nothing else: no name of the machine itself, no domain to search. Never in
 * a thread: two names whose servers keep silent take all threads that Node has for names, and everybody else waits for them.
 */
export function finderByQuery(servers?: readonly string[]): FindAddresses {
  const resolver = new promises.Resolver({ timeout: NAME_MS, tries: NAME_TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  return async (hostname) => {
    if (/(?:^|\.)localhost\.?$/i.test(hostname)) return [{ address: '127.0.0.1', family: 4 }];
    const found = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const addresses = found.flatMap((one, index) =>
      one.status === 'rejected'
        ? []
        : one.value.map((address): LookupAddress => ({ address, family: index === 0 ? 4 : 6 })),
    );
    const [first] = found;
    if (addresses.length === 0 && first.status === 'rejected') throw first.reason;
    return addresses;
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
