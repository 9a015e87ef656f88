// SPDX-License-Identifier: Apache-2.0
import { ByteReader } from '../binary/reader.ts';
import { bodyOf, type ModuleShape, signatureOf } from '../binary/shape.ts';
import { type AddedPlaces, callAdded, constant, local, OP, take } from './added.ts';
import { type ByteParts, unsignedBytes } from './bytes.ts';
import { FREE_IN_LOOPS, LOOPS_AT_ONCE } from './fuel.ts';
import { askFirst, type Shortcut } from './shortcuts.ts';
import { hasLoops, type MeteredBody, type Site } from './sites.ts';

const I32 = 0x7f;

/** One function of the module's own, and what becomes of it. */
interface Change {
  /** Its place among them. */
  readonly index: number;
  readonly body: MeteredBody;
  readonly places: AddedPlaces;
  /** By function. */
  readonly shortcuts: ReadonlyMap<number, Shortcut>;
}

/** The code of a function, with what takes fuel in it, and before all of it the question to its host, if it is one that has a shortcut. */
export function meteredBody(shape: ModuleShape, { index, body, places, shortcuts }: Change): ByteParts {
  const number = places.functions - shape.functions.length + index;
  const code = bodyOf(shape, number) ?? new Uint8Array();
  const shortcut = shortcuts.get(number);
  if (body.sites.length === 0 && shortcut === undefined) return [code];
  const head = code.subarray(0, body.begin);
  const counter = counterOf(signatureOf(shape, number) ?? '', head);
  const begin =
    shortcut === undefined ? withLocals(head, 1) : [...withLocals(head, 2), askFirst(shortcut, counter + 1)];
  return [...begin, ...withSites(code, { body, counter, places })];
}

/** What stands behind the locals, with what takes fuel in it. */
function withSites(
  code: Uint8Array,
  {
    body,
    counter,
    places,
  }: { readonly body: MeteredBody; readonly counter: number; readonly places: AddedPlaces },
): ByteParts {
  const parts: (Uint8Array | readonly number[])[] = [];
  // Where it begins, the counter is zero by itself, unless what is taken there has used it.
  const none = hasLoops(body.sites) ? [...constant(0), OP.localSet, ...unsignedBytes(counter)] : [];
  let from = body.begin;
  for (const site of body.sites) {
    parts.push(
      code.subarray(from, site.at),
      codeFor(site, { counter, places }),
      site.kind === 'enter' ? none : [],
    );
    from = 'length' in site ? site.at + site.length : site.at;
  }
  return [...parts, code.subarray(from)];
}

/** The number of the local that is added: behind the parameters and the other locals. */
function counterOf(signature: string, locals: Uint8Array): number {
  const [parameters = ''] = signature.split('->');
  let count = parameters === '' ? 0 : parameters.split(',').length;
  new ByteReader(locals).list((group) => {
    count += group.u32();
    group.byte();
  });
  return count;
}

/** One more group of locals, with so many. */
function withLocals(locals: Uint8Array, more: number): (Uint8Array | readonly number[])[] {
  const reader = new ByteReader(locals);
  const groups = unsignedBytes(reader.u32() + 1);
  return [groups, locals.subarray(reader.at), [more, I32]];
}

function codeFor(
  site: Site,
  { counter, places }: { readonly counter: number; readonly places: AddedPlaces },
): readonly number[] {
  if (site.kind === 'enter') return take(constant(site.fuel), { places, left: counter });
  if (site.kind === 'call') return [...constant(site.fuel), ...callAdded('spend', places)];
  if (site.kind !== 'loop') return callAdded(site.kind, places);
  const count = [...local(counter), ...constant(site.fuel), OP.i32Sub];
  // Below zero by what has been taken for loops where the function begins.
  const isMuch = [OP.localTee, ...unsignedBytes(counter), ...constant(-FREE_IN_LOOPS), OP.i32LtS];
  const spend = [...constant(LOOPS_AT_ONCE), ...local(counter), OP.i32Sub, ...callAdded('spend', places)];
  const again = [...constant(LOOPS_AT_ONCE), OP.localSet, ...unsignedBytes(counter)];
  return [...count, ...isMuch, ...OP.if, ...spend, ...again, OP.end];
}
