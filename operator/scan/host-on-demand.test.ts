// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Evaluation } from '../policy/evaluate-here.ts';
import { compileModule } from '../policy/testing/compile.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { HostOnDemand } from './host-on-demand.ts';

const REGO = 'package p\n  said := data.word';
const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

test('data that are given back are forgotten by the workers, and those of others stay', async (t) => {
  const host = new HostOnDemand({
    platformWorkers: 1,
    tenantWorkers: 1,
    spareWorkers: 0,
    metrics: createMetrics(),
    limits: { maxDeadlineMs: 10_000, maxWaitMs: 30_000 },
  });
  t.teardown(() => host.close());
  const module = await compileModule({ rego: REGO, entrypoints: ['p/said'] });
  const asked: Omit<Evaluation, 'data'> = {
    module,
    entrypoint: 'p/said',
    input: utf8({}),
    nowNs: 0n,
    deadlineMs: 10_000,
    memoryMiB: 16,
    tenant: undefined,
  };
  /** Workers go by the digest: what they know under it, they do not take again. */
  const says = async (digest: string, word: string): Promise<unknown> => {
    const verdict = await host.evaluate({ ...asked, data: { digest, bytes: utf8({ word }) } });
    return verdict.kind === 'value' ? verdict.value : verdict;
  };
  host.releaseData(module.digest, 'nobody has been asked yet');
  t.is(await says('one', 'a'), 'a');
  t.is(await says('two', 'b'), 'b');
  t.is(await says('one', 'not taken'), 'a');
  host.releaseData(module.digest, 'one');
  t.is(await says('two', 'not taken'), 'b');
  t.is(await says('one', 'anew'), 'anew');
});
