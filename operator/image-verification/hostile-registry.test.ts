// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { BUNDLE_TYPE } from '#hack/sigstore/media-types';
import type { ImageFindings, ImageQuestion } from '../core/images/verification.ts';
import { digestOfBytes } from '../core/oci/digest.ts';
import { clientOf } from '../oci/testing/client.ts';
import { complain, list, makeManifest, say, type Served, serve } from '../oci/testing/serve.ts';
import { EvidenceRoom } from './evidence-room.ts';
import { JudgePool } from './judge-pool.ts';
import { inputsBy } from './testing/policy-inputs.ts';
import { verifyQuestion } from './verify.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
const MIB = 1 << 20;
/** The image of the tests, and another that its tag may be moved to. */
const IMAGE = makeManifest({ annotations: { which: 'the one' } });
const OTHER = makeManifest({ annotations: { which: 'another' } });
const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();

/** What a registry answers in its own way; false where it has nothing of its own to say. */
type Act = (request: IncomingMessage, response: ServerResponse, host: string) => boolean;

interface Hostile {
  readonly act: () => Act;
  readonly outcome: 'Refused' | 'Unknown';
  readonly reason: string;
  /** Of requests: no more than that, whatever it answers. */
  readonly atMost: number;
  readonly timeoutMs?: number;
  readonly lookMs?: number;
}

/** A document that refers to the image, in an artifact of one layer. */
function referring(layer: object, subject: { readonly digest: string } = IMAGE) {
  return makeManifest({
    artifactType: BUNDLE_TYPE,
    layers: [layer],
    subject: { mediaType: MANIFEST, digest: subject.digest, size: 100 },
  });
}

function layer(bytes: Buffer, size = bytes.length): object {
  return { mediaType: BUNDLE_TYPE, digest: digestOfBytes(bytes), size };
}

/** Has what refers to the image: manifests, and a body for each blob. */
function withReferrers(made: readonly ReturnType<typeof makeManifest>[], blob: Act = () => false): Act {
  return (request, response, host) => {
    const { url = '' } = request;
    if (url.includes('/referrers/')) {
      const entries = made.map(({ digest, bytes }) => ({ mediaType: MANIFEST, digest, size: bytes.length }));
      list(response, entries);
      return true;
    }
    const found = made.find(({ digest }) => url.endsWith(`/manifests/${digest}`));
    if (found !== undefined) return sayManifest(request, response, found);
    return url.includes('/blobs/') && blob(request, response, host);
  };
}

function sayManifest(
  { method }: IncomingMessage,
  response: ServerResponse,
  { bytes, digest }: Pick<ReturnType<typeof makeManifest>, 'bytes' | 'digest'>,
): boolean {
  response.writeHead(200, {
    'content-type': MANIFEST,
    'docker-content-digest': digest,
    'content-length': bytes.length,
  });
  response.end(method === 'HEAD' ? undefined : bytes);
  return true;
}

/** Sends without an end, as long as anybody listens. */
function sendForEver(response: ServerResponse): boolean {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const send = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', send);
  };
  send();
  return true;
}

const SMALL = Buffer.from('{}');
/** Is waited for answers that never come; those that do come need a part of it, also on a machine that is busy. */
const PATIENCE_MS = 5000;

const hostile: Readonly<Record<string, Hostile>> = {
  'ten thousand signatures under one tag': {
    act: () => {
      const layers = Array.from({ length: 10_000 }, (_, number) => ({
        mediaType: SIMPLE_SIGNING,
        digest: digestOfBytes(Buffer.from(String(number))),
        size: 2,
      }));
      const made = makeManifest({ layers });
      return (request, response) => {
        const { url = '' } = request;
        const isAsked = url.endsWith('.sig') || url.endsWith(made.digest);
        return isAsked && sayManifest(request, response, made);
      };
    },
    outcome: 'Unknown',
    reason: 'RegistryBroken',
    atMost: 8,
  },
  'five thousand documents that refer to the image': {
    act: () => {
      const made = referring(layer(SMALL));
      const entry = { mediaType: MANIFEST, size: made.bytes.length };
      return (request, response) => {
        const { url = '' } = request;
        const page = Number(/page=(\d+)/.exec(url)?.[1] ?? 0);
        if (url.includes('/referrers/')) {
          const names = Array.from({ length: 100 }, (_, number) => String(page * 100 + number));
          const next = `${url.split('?')[0]}?page=${page + 1}`;
          if (page < 49) response.setHeader('link', `<${next}>; rel="next"`);
          list(
            response,
            names.map((name) => ({ ...entry, digest: digestOfBytes(Buffer.from(name)) })),
          );
          return true;
        }
        return false;
      };
    },
    outcome: 'Unknown',
    reason: 'TooMuchAttached',
    // Pages, what is read of documents, and the image itself.
    atMost: 50 + 128 + 8,
  },
  'a list of what refers to the image that has no end': {
    act: () => (request, response) => {
      const { url = '' } = request;
      if (!url.includes('/referrers/')) return false;
      const page = Number(/page=(\d+)/.exec(url)?.[1] ?? 0);
      response.setHeader('link', `<${url.split('?')[0]}?page=${page + 1}>; rel="next"`);
      list(response, []);
      return true;
    },
    outcome: 'Unknown',
    reason: 'TooMuchAttached',
    atMost: 58,
  },
  'a bundle of 50 MB': {
    act: () => withReferrers([referring(layer(SMALL, 50 * MIB))], (_, response) => sendForEver(response)),
    outcome: 'Unknown',
    reason: 'RegistryBroken',
    atMost: 8,
  },
  'a bundle that says that it is small, and has no end': {
    act: () => withReferrers([referring(layer(SMALL))], (_, response) => sendForEver(response)),
    outcome: 'Unknown',
    reason: 'RegistryBroken',
    atMost: 8,
  },
  'a bundle that is packed': {
    act: () =>
      withReferrers([referring(layer(SMALL))], (_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': SMALL.length }).end(SMALL);
        return true;
      }),
    outcome: 'Unknown',
    reason: 'RegistryBroken',
    atMost: 8,
  },
  'other bytes than a digest names': {
    act: () =>
      withReferrers([referring(layer(SMALL))], (_, response) => {
        response.end('[]');
        return true;
      }),
    outcome: 'Unknown',
    reason: 'RegistryBroken',
    atMost: 8,
  },
  'another document than the list names': {
    act: () => {
      const listed = referring(layer(SMALL));
      const sent = referring(layer(Buffer.from('[]')));
      return (request, response, host) =>
        (request.url ?? '').endsWith(`/manifests/${listed.digest}`)
          ? sayManifest(request, response, { bytes: sent.bytes, digest: listed.digest })
          : withReferrers([listed])(request, response, host);
    },
    outcome: 'Unknown',
    reason: 'RegistryBroken',
    atMost: 8,
  },
  'a document that refers to another image': {
    act: () => withReferrers([referring(layer(SMALL), OTHER)]),
    outcome: 'Refused',
    reason: 'NoSignature',
    atMost: 8,
  },
  'a document that is nested without end': {
    act: () => {
      const bytes = Buffer.from(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
      return withReferrers([referring(layer(bytes))], (_, response) => {
        response.end(bytes);
        return true;
      });
    },
    outcome: 'Refused',
    reason: 'TooLarge',
    atMost: 8,
  },
  'a document of ten million values in few bytes': {
    act: () => {
      const bytes = Buffer.from(`{"a":[${'{},'.repeat(5_000_000)}{}]}`);
      return withReferrers([referring(layer(bytes))], (_, response) => {
        response.end(bytes);
        return true;
      });
    },
    outcome: 'Refused',
    reason: 'TooLarge',
    atMost: 8,
  },
  'a tag that is moved while it is read': {
    act: () => {
      let asked = 0;
      return (request, response) => {
        if (!(request.url ?? '').endsWith('/manifests/v1')) return false;
        asked += 1;
        return sayManifest(request, response, asked === 1 ? IMAGE : OTHER);
      };
    },
    outcome: 'Refused',
    reason: 'NoSignature',
    atMost: 8,
  },
  'a way to a metadata service in place of a document': {
    act: () =>
      withReferrers([referring(layer(SMALL))], (_, response) => {
        response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
        return true;
      }),
    outcome: 'Unknown',
    reason: 'RegistryRefused',
    atMost: 8,
  },
  'a circle of ways': {
    act: () =>
      withReferrers([referring(layer(SMALL))], ({ url = '' }, response) => {
        response.writeHead(307, { location: `${url}x` }).end();
        return true;
      }),
    outcome: 'Unknown',
    reason: 'RegistryBroken',
    atMost: 16,
  },
  'answers that never come': {
    act: () => withReferrers([referring(layer(SMALL))], () => true),
    outcome: 'Unknown',
    reason: 'RegistryUnreachable',
    atMost: 10,
    timeoutMs: PATIENCE_MS,
  },
  'a hundred documents, each of which is held as long as may be': {
    act: () => {
      const made = Array.from({ length: 100 }, (_, number) => referring(layer(Buffer.from(String(number)))));
      return withReferrers(made, () => true);
    },
    outcome: 'Unknown',
    reason: 'RegistryUnreachable',
    // Those that are under way when time is over, and none of the others.
    atMost: 120,
    lookMs: 2 * PATIENCE_MS,
  },
};

async function lookAt(
  t: ExecutionContext,
  served: Served,
  { timeoutMs, lookMs, pool }: Pick<Hostile, 'timeoutMs' | 'lookMs'> & { readonly pool: JudgePool },
): Promise<ImageFindings> {
  const registry = clientOf(t, [served], timeoutMs === undefined ? {} : { timeoutMs });
  return verifyQuestion(questionOf(`${served.host}/team/app:v1`), {
    registry,
    client: { get: () => Promise.resolve(undefined) },
    judge: (order, whose) => pool.judge(order, whose),
    room: new EvidenceRoom(),
    now: () => new Date(),
    ...(lookMs !== undefined && { lookMs }),
  });
}

function questionOf(image: string): ImageQuestion {
  return {
    key: image,
    verdict: `a/${image}`,
    namespace: 'a',
    tenant: 'a',
    image,
    pullSecrets: [],
    policies: [{ uid: 'u', digest: 'd', inputs: inputsBy(PEM) }],
    freshMs: 60_000,
  };
}

/** A registry that has the image, and beside that what `act` says. */
function registryOf(t: ExecutionContext, act: Act): Promise<Served> {
  return serve(t, (request, response, host) => {
    if (act(request, response, host)) return;
    const { url = '' } = request;
    const isImage = url.endsWith('/manifests/v1') || url.endsWith(IMAGE.digest);
    if (url.includes('/referrers/')) return list(response, []);
    if (isImage && url.includes('/manifests/')) return void sayManifest(request, response, IMAGE);
    return complain(response, 404, 'MANIFEST_UNKNOWN');
  });
}

/** Threads for all tests of the file: each is ended with it. */
const POOL = new JudgePool();
test.after.always(() => POOL.close());

for (const [title, { act, outcome, reason, atMost, ...limits }] of Object.entries(hostile)) {
  test.serial(`asked no further than may be, and never taken for signed: ${title}`, async (t) => {
    const served = await registryOf(t, act());
    const { digest, verdicts } = await lookAt(t, served, { ...limits, pool: POOL });
    const verdict = verdicts.get('u');
    t.like(verdict, { outcome, reason }, JSON.stringify(verdict));
    t.is(digest, IMAGE.digest);
    t.true(served.asked.length <= atMost, `${served.asked.length} requests`);
    t.false(served.asked.some((one) => one.includes(OTHER.digest)));
  });
}

test.serial('a registry that answers with errors alone is asked little', async (t) => {
  const served = await serve(t, (_, response) => say(response, 500, {}));
  const { verdicts } = await lookAt(t, served, { pool: POOL });
  t.like(verdicts.get('u'), { outcome: 'Unknown', reason: 'RegistryUnreachable' });
  t.true(served.asked.length <= 3, `${served.asked.length} requests`);
});
