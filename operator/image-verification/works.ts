// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { TrustRootStatus } from '#crds/v1alpha1/trust-root';
import type { PolicyInputs } from '../core/images/inputs.ts';
import type { ImageWorks, Problem, RootRead } from '../core/images/works.ts';
import { clock } from '../runtime/clock.ts';
import type { Registry } from '../oci/client.ts';
import type { Client } from '../runtime/client.ts';
import { type TrustedKey, trustedKey } from '../supply-chain/keys.ts';
import { isReadyPolicy, readyPolicy } from '../supply-chain/ready-policy.ts';
import { openProof, signProof } from '../supply-chain/signed-proof.ts';
import { isTrustRoot, readTrustRoot } from '../supply-chain/trust-root.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { EvidenceRoom } from './evidence-room.ts';
import { JudgePool } from './judge-pool.ts';
import { ImageVerification } from './verifier.ts';
import { verifyQuestion, type VerifyTools } from './verify.ts';

/** What the works are made with. */
export interface WorksOptions {
  readonly registry: Registry;
  readonly client: Pick<Client, 'get'>;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** What verification of images has done for controllers, and how it ends. */
export interface RunningWorks extends ImageWorks {
  readonly close: () => Promise<void>;
}

/** Who vouches, in verification summaries; the version is that of what is looked at, and how. */
const VERIFIER = { id: 'https://nexusos.dev/operator', version: '1' } as const;

function now(): Date {
  return clock.now();
}

/** Verification of images, with a process that judges. None is started before there is something to judge. */
export function imageWorks({ registry, client, metrics, log }: WorksOptions): RunningWorks {
  const pool = new JudgePool();
  const room = new EvidenceRoom();
  const judge: VerifyTools['judge'] = (order, whose) => pool.judge(order, whose);
  const verifier = new ImageVerification({
    verify: (question) => verifyQuestion(question, { registry, client, judge, room, now }),
    observe: ({ verdicts }, seconds) => {
      metrics.imageVerificationSeconds.observe({}, seconds);
      for (const { outcome, reason = 'None' } of verdicts.values()) {
        metrics.imageVerificationsTotal.inc({ outcome, reason });
      }
    },
    onError: (error, { verdict }) => log.error({ err: error, verdict }, 'an image could not be verified'),
    now,
  });
  const keys = new Keys();
  const problems = new WeakMap<PolicyInputs, readonly Problem[]>();
  const root = new LastRoot();
  return {
    verifier,
    readRoot: (text) => root.read(text),
    // Controllers ask with each pass, and the same inputs are the same object: to read keys and roots takes milliseconds.
    problemsOf: (inputs) => {
      const found = problems.get(inputs) ?? problemsIn(inputs);
      problems.set(inputs, found);
      return found;
    },
    newKey,
    publicKeyOf: (pem) => keys.of(pem)?.publicKey,
    seal: (proof, pem) => {
      const key = keys.of(pem);
      if (key === undefined) throw new Error('the key that verdicts are signed with cannot be read');
      const { privateKey, trusted } = key;
      return signProof(proof, { verifier: VERIFIER, key: privateKey, fingerprint: trusted.fingerprint });
    },
    open: (sealed, pem) => {
      const key = keys.of(pem);
      const opened = key === undefined ? undefined : openProof(sealed, [key.trusted]);
      return opened?.kind === 'verified' ? opened.value : undefined;
    },
    close: async () => {
      await verifier.close();
      await pool.close();
    },
  };
}

function problemsIn(inputs: PolicyInputs): readonly Problem[] {
  const read = readyPolicy(inputs);
  return isReadyPolicy(read) ? [] : read.problems;
}

/** A root is asked about with each pass over it, of which there are many more than changes; most platforms have one. */
class LastRoot {
  #held: { readonly text: string; readonly read: RootRead | Problem } | undefined;

  read(text: string): RootRead | Problem {
    if (this.#held?.text !== text) this.#held = { text, read: readRoot(text) };
    return this.#held.read;
  }
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

interface Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: string;
  /** Of thousands of verdicts each is held against it: to make it takes as long as that. */
  readonly trusted: TrustedKey;
}

/** The key is the same for long, and asked for with each verdict. */
class Keys {
  #held: { readonly pem: string; readonly pair: Pair | undefined } | undefined;

  of(pem: string): Pair | undefined {
    if (this.#held?.pem !== pem) this.#held = { pem, pair: pairOf(pem) };
    return this.#held.pair;
  }
}

/** Only keys of the kind that is made here: any other, somebody else has put there. */
function pairOf(pem: string): Pair | undefined {
  try {
    const privateKey = createPrivateKey(pem);
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined;
    const key = createPublicKey(privateKey);
    const publicKey = key.export({ type: 'spki', format: 'pem' }).toString();
    return { privateKey, publicKey, trusted: trustedKey(key) };
  } catch {
    return undefined;
  }
}

type Part = NonNullable<TrustRootStatus['parts']>[number];

/** Lists of a `trusted_root.json`, by what is in them. */
const LISTS = {
  certificateAuthorities: 'CertificateAuthority',
  tlogs: 'TransparencyLog',
  ctlogs: 'CertificateLog',
  timestampAuthorities: 'TimestampAuthority',
} as const satisfies Record<string, Part['kind']>;
const MAX_PARTS = 64;

function readRoot(text: string): RootRead | Problem {
  const read = readTrustRoot(text);
  if (!isTrustRoot(read)) return read;
  // What is shown of it is what it says of itself.
  const root = read.document;
  const parts = Object.entries(LISTS).flatMap(([list, kind]) => {
    const entries = root[list];
    return Array.isArray(entries) ? entries.map((entry: unknown) => partOf(kind, entry)) : [];
  });
  return { digest: read.digest, parts: parts.slice(0, MAX_PARTS) };
}

interface Entry {
  readonly baseUrl?: unknown;
  readonly uri?: unknown;
  readonly subject?: { readonly commonName?: unknown };
  readonly validFor?: Validity;
  readonly publicKey?: { readonly validFor?: Validity };
}

interface Validity {
  readonly start?: unknown;
  readonly end?: unknown;
}

function partOf(kind: Part['kind'], entry: unknown): Part {
  const { baseUrl, uri, subject, validFor, publicKey } = (entry ?? {}) as Entry;
  const names = [baseUrl, uri, subject?.commonName].filter((one) => typeof one === 'string');
  const name = names.find((one) => one !== '') ?? '';
  const validity = validFor ?? publicKey?.validFor ?? {};
  const [validFrom, validUntil] = [instantOf(validity.start), instantOf(validity.end)];
  return {
    kind,
    name: name.slice(0, 512),
    ...(validFrom !== undefined && { validFrom }),
    ...(validUntil !== undefined && { validUntil }),
  };
}

function instantOf(value: unknown): string | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}
