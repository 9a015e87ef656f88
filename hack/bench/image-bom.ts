// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { JUDGE_LIMITS, type JudgeOrder, JudgeProcess } from '#operator/image-verification/judge';
import { bundleRole } from '../build/bundle.ts';
import { digestOf } from '../sigstore/keyless-signer.ts';
import { bomPolicy } from './bom-policy.ts';
import type { Figure } from './report.ts';
import { percentile } from './statistics.ts';

const COMPONENTS = 10_000;
const ROUNDS = 7;
const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const SUBJECT = Buffer.from('{"schemaVersion":2}');
const MIB = 1 << 20;

/** What a bill of materials of ten thousand components costs: the process that judges, and the thread that everything else is done in. */
export async function measureBom(): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'nexusos-bench-'));
  // As in the image: from source, it would have to read TypeScript first.
  await bundleRole(folder, 'image-worker');
  const judge = new JudgeProcess(JUDGE_LIMITS, pathToFileURL(join(folder, 'image-worker.mjs')));
  try {
    const order = orderOf(COMPONENTS);
    const first = await judged(judge, order);
    const rounds: Spent[] = [];
    for (let round = 0; round < ROUNDS; round += 1) rounds.push(await judged(judge, order));
    const size = evidenceOf(order).reduce((sum, { bytes }) => sum + bytes.length, 0);
    return [
      {
        name: `bill of materials of ${COMPONENTS} components, attested`,
        value: size / MIB,
        unit: 'MiB',
      },
      { name: '... of a processor, the first', value: first.besideMs, unit: 'ms' },
      {
        name: '... of a processor, in the process that judges (median)',
        value: percentile(
          rounds.map(({ besideMs }) => besideMs),
          0.5,
        ),
        unit: 'ms',
        bar: { atMost: 150 },
      },
      {
        name: '... in the operator (median)',
        value: percentile(
          rounds.map(({ loopMs }) => loopMs),
          0.5,
        ),
        unit: 'ms',
      },
    ];
  } finally {
    await judge.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Spent {
  readonly loopMs: number;
  readonly besideMs: number;
}

async function judged(judge: JudgeProcess, order: JudgeOrder): Promise<Spent> {
  const ownBefore = process.threadCpuUsage();
  const { spentMs: besideBefore, pid } = judge;
  const { verdicts } = await judge.judge(order);
  const own = process.threadCpuUsage(ownBefore);
  const [verdict] = verdicts;
  if (verdict?.outcome !== 'Verified' || verdict.facts.sbom?.components !== COMPONENTS)
    throw new Error(JSON.stringify(verdict));
  // What another one has had is no more of anything.
  if (pid !== undefined && pid !== judge.pid) throw new Error('another process has judged');
  const loopMs = (own.user + own.system) / 1000;
  return { loopMs, besideMs: judge.spentMs - besideBefore };
}

function evidenceOf({ gathered }: JudgeOrder) {
  const [held] = gathered.values();
  return held === undefined || 'kind' in held ? [] : held.evidence;
}

function orderOf(components: number): JudgeOrder {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const digest = digestOf(SUBJECT);
  const bytes = attestationOf(digest, { predicate: billOf(components), key: privateKey });
  const evidence = [{ form: 'attestation', origin: digest, bytes, annotations: {} } as const];
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return {
    digest,
    gathered: new Map([[digest, { subject: SUBJECT, evidence }]]),
    policies: [bomPolicy(pem)],
    now: new Date(),
  };
}

function attestationOf(
  digest: string,
  { predicate, key }: { readonly predicate: object; readonly key: KeyObject },
): Buffer {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://cyclonedx.org/bom',
    subject: [{ digest: { sha256: digest.replace('sha256:', '') } }],
    predicate,
  };
  const payload = Buffer.from(JSON.stringify(statement));
  const head = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `;
  const signature = sign('sha256', Buffer.concat([Buffer.from(head), payload]), key);
  const signatures = [{ sig: signature.toString('base64') }];
  return Buffer.from(
    JSON.stringify({ payloadType: PAYLOAD_TYPE, payload: payload.toString('base64'), signatures }),
  );
}

/** With all that common tools write of each component. */
function billOf(components: number): object {
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: 'urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79',
    version: 1,
    metadata: { timestamp: '2026-11-01T00:00:00Z', component: { type: 'container', name: 'app' } },
    components: Array.from({ length: components }, (_, number) => ({
      'bom-ref': `pkg:npm/part-${number}@1.0.${number}`,
      type: 'library',
      name: `part-${number}`,
      version: `1.0.${number}`,
      purl: `pkg:npm/part-${number}@1.0.${number}`,
      licenses: [{ license: { id: 'Apache-2.0' } }],
      hashes: [{ alg: 'SHA-256', content: digestOf(Buffer.from(String(number))).replace('sha256:', '') }],
    })),
    dependencies: Array.from({ length: components - 1 }, (_, number) => ({
      ref: `pkg:npm/part-${number}@1.0.${number}`,
      dependsOn: [`pkg:npm/part-${number + 1}@1.0.${number + 1}`],
    })),
  };
}
