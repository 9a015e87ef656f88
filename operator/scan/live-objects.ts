// SPDX-License-Identifier: Apache-2.0
import type { KubeObject, Resource } from '../core/object.ts';
import { ApiError } from '../runtime/api-error.ts';
import type { Client } from '../runtime/client.ts';

/** Some objects of one kind. */
export interface LivePage {
  readonly resource: Resource;
  readonly items: readonly KubeObject[];
}

/** Told what of the cluster could not be read, and why. */
export type OnUnread = (resource: Resource, why: string) => void;

/** What is read: of some kinds, all objects, or those of some namespaces. */
export interface LiveSelection {
  readonly resources: readonly Resource[];
  readonly namespaces?: readonly string[] | undefined;
  /** Kinds of others: whatever the API server has to say of them is no reason to leave out the rest, such as that what converts them is down. */
  readonly foreign?: readonly Resource[] | undefined;
}

/** With more, one list of the whole cluster is less to ask than one of each. */
const MAX_APART = 32;

/**
 * All objects of some kinds, page by page, so that no more than a page is in memory. A kind that is not served, or that we may not
 * read, is left out and told; so is the rest of one whose list went out of date while it was read.
 */
export async function* livePages(
  client: Pick<Client, 'list'>,
  { resources, namespaces, foreign = [] }: LiveSelection,
  onUnread: OnUnread,
): AsyncGenerator<LivePage> {
  const isApart = namespaces !== undefined && namespaces.length <= MAX_APART;
  const selections = isApart ? namespaces.map((namespace) => ({ namespace })) : [{}];
  for (const resource of resources) {
    try {
      for await (const items of itemsOf(client, resource, selections)) yield { resource, items };
    } catch (error) {
      const why = unreadable(error, foreign.includes(resource));
      if (why === undefined) throw error;
      onUnread(resource, why);
    }
  }
}

async function* itemsOf(
  client: Pick<Client, 'list'>,
  resource: Resource,
  selections: readonly { readonly namespace?: string }[],
): AsyncGenerator<LivePage['items']> {
  for (const selection of selections) {
    for await (const { items } of client.list(resource, selection)) yield items;
  }
}

const UNREADABLE: ReadonlySet<number> = new Set([403, 404, 405, 410]);

function unreadable(error: unknown, isForeign: boolean): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return isForeign || UNREADABLE.has(error.status) ? error.words : undefined;
}
