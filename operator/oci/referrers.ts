// SPDX-License-Identifier: Apache-2.0
import { type Answer, broken, ok } from '../core/oci/answer.ts';
import { referrersTag } from '../core/oci/digest.ts';
import { mediaTypeOf, nextLink } from '../core/oci/headers.ts';
import { type Descriptor, MEDIA_TYPES, readReferrers } from '../core/oci/manifest.ts';
import type { Repository } from '../core/oci/reference.ts';
import type { Question } from './requester.ts';
import type { Reply } from '../sources/outbound.ts';

/** What refers to a digest. */
export interface Referrers {
  readonly descriptors: readonly Descriptor[];
  /** api: the registry lists them. tag: those who wrote them keep the list; it may tell little of each. */
  readonly via: 'api' | 'tag';
  /** false: there are more than are listed. Nothing may be concluded from what is not among them. */
  readonly isComplete: boolean;
}

/** What is looked for. */
export interface Wanted {
  readonly repository: Repository;
  readonly digest: string;
  /** None: all. Those that do not tell what they are are kept in any case. */
  readonly artifactTypes: readonly string[];
}

/** Makes a request of the repository that is asked. */
export type AskFor = (asked: Pick<Question, 'path' | 'what' | 'accept' | 'passes'>) => Promise<Answer<Reply>>;

/** How much of a list is read. */
const REFERRER_LIMITS = { descriptors: 1000, pages: 50 } as const;

/** What registries answer that do not know the question. Those in trouble answer otherwise, and are not taken for them. */
const UNKNOWN: readonly number[] = [400, 404, 405, 406, 501];

/** Asks for referrers: of the registry, page by page; where it does not know them, by the tag that stands in for it. */
export async function findReferrers(wanted: Wanted, ask: AskFor): Promise<Answer<Referrers>> {
  const { digest, artifactTypes } = wanted;
  const what = `referrers of ${digest}`;
  const [only] = artifactTypes;
  const query =
    artifactTypes.length === 1 && only !== undefined ? `?artifactType=${encodeURIComponent(only)}` : '';
  const accept = MEDIA_TYPES.ociIndex;
  const first = await ask({ path: `referrers/${digest}${query}`, what, accept, passes: UNKNOWN });
  if (first.kind !== 'ok') return first;
  const { status, headers } = first.value;
  // Servers that are more than a registry answer what they do not know with a page for people.
  const isList = status === 200 && mediaTypeOf(headers['content-type']) !== 'text/html';
  return isList ? pagesFrom(first.value, { wanted, what, ask }) : byTag(wanted, ask);
}

interface Paging {
  readonly wanted: Wanted;
  readonly what: string;
  readonly ask: AskFor;
}

async function pagesFrom(first: Reply, { wanted, what, ask }: Paging): Promise<Answer<Referrers>> {
  const descriptors: Descriptor[] = [];
  const seen = new Set<string>([first.url.href]);
  let page = first;
  for (let pages = 1; ; pages += 1) {
    const read = readReferrers({ bytes: page.bytes, contentType: mediaTypeOf(page.headers['content-type']) });
    if (read.kind !== 'ok') return read;
    descriptors.push(...kept(read.value, wanted));
    const link = nextLink(page.headers['link']);
    if (link === undefined) return found(descriptors, 'api');
    if (pages >= REFERRER_LIMITS.pages || descriptors.length > REFERRER_LIMITS.descriptors)
      return ok({
        descriptors: descriptors.slice(0, REFERRER_LIMITS.descriptors),
        via: 'api',
        isComplete: false,
      });
    const next = nextPage(link, { from: page.url, first: first.url });
    if (next === undefined || seen.has(next.href))
      return broken(`${page.url.host} pages through ${what} in a circle, or to elsewhere`);
    seen.add(next.href);
    const answer = await ask({ path: next, what, accept: MEDIA_TYPES.ociIndex });
    if (answer.kind !== 'ok') return answer;
    page = answer.value;
  }
}

/** The next page is of the same list: credentials go along. */
function nextPage(
  link: string,
  { from, first }: { readonly from: URL; readonly first: URL },
): URL | undefined {
  if (!URL.canParse(link, from.href)) return undefined;
  const next = new URL(link, from);
  return next.origin === first.origin && next.pathname === first.pathname ? next : undefined;
}

async function byTag(wanted: Wanted, ask: AskFor): Promise<Answer<Referrers>> {
  const tag = referrersTag(wanted.digest);
  const answer = await ask({ path: `manifests/${tag}`, what: tag, accept: MEDIA_TYPES.ociIndex });
  if (answer.kind === 'absent') return found([], 'tag');
  if (answer.kind !== 'ok') return answer;
  const { bytes, headers } = answer.value;
  const read = readReferrers({ bytes, contentType: mediaTypeOf(headers['content-type']) });
  return read.kind === 'ok' ? found(kept(read.value, wanted), 'tag') : read;
}

function found(descriptors: readonly Descriptor[], via: Referrers['via']): Answer<Referrers> {
  const isComplete = descriptors.length <= REFERRER_LIMITS.descriptors;
  return ok({ descriptors: descriptors.slice(0, REFERRER_LIMITS.descriptors), via, isComplete });
}

/** One without a type, or with that of an empty configuration, may be anything. */
function kept(descriptors: readonly Descriptor[], { artifactTypes }: Wanted): readonly Descriptor[] {
  if (artifactTypes.length === 0) return descriptors;
  return descriptors.filter(
    ({ artifactType }) =>
      artifactType === undefined ||
      artifactType === MEDIA_TYPES.empty ||
      artifactTypes.includes(artifactType),
  );
}
