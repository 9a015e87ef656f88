// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { MAX_CHUNKS } from '#crds/v1alpha1/policy-pack-revision';
import { defined } from '../core/object.ts';
import { constraintsOf } from '../core/policy/gatekeeper-constraints.ts';
import { snapshotRevision } from '../core/policy/objects.ts';
import { draftRevision } from '../core/policy-pack/revision.ts';
import type {
  PackFault,
  PackRequest,
  SourceContent,
  StoredBlob,
  VerifiedPack,
} from '../core/policy-pack/verification.ts';
import type { PolicyHost } from '../policy/host.ts';
import type { Evaluation } from '../policy/evaluate-here.ts';
import { type PolicyModule, verifyModule } from '../policy/module.ts';
import type { PolicyFloor } from '#crds/v1alpha1/policy-floor';
import { FLOOR_FILE } from '../core/policy-floor/source.ts';
import { type Bundle, readBundle } from './bundle.ts';
import { floorIn } from './floor.ts';
import { compilePack, type PackSource, type SourceProblem } from './compile.ts';
import type { RunOpa } from './opa.ts';
import { type TestOptions, testPack } from './pack-tests.ts';
import { mayChange, rolesOf } from './prebuilt.ts';
import { tryPack } from './trial.ts';

/** What has to be fetched. */
export type FetchedContent = Exclude<SourceContent, { readonly kind: 'files' }>;

/** What was fetched from elsewhere, or why not. */
export type Fetched =
  | { readonly kind: 'ok'; readonly bytes: Uint8Array }
  | { readonly kind: 'fault'; readonly fault: PackFault };

/** What a pack is verified with. */
export interface VerifyTools {
  readonly run: RunOpa;
  /** Text of the capabilities that packs are compiled with. */
  readonly capabilities: () => Promise<string>;
  /** Name and version of the compiler. */
  readonly compiler: () => Promise<string>;
  /** Fetches a bundle whose digest is known beforehand, for a pack of a namespace. */
  readonly fetch: (content: FetchedContent, namespace: string) => Promise<Fetched>;
  /** What modules are tried in; closed after use. */
  readonly host: () => Pick<PolicyHost, 'ready' | 'evaluate' | 'close'>;
  /** Has the API server look at a floor; undefined: nothing is wrong with it. Without, nobody looks. */
  readonly tryFloor?: (request: PackRequest, floor: PolicyFloor) => Promise<PackFault | undefined>;
  readonly platformNamespace: string;
  readonly now: () => Date;
}

/** What a pack was found to be, or what is wrong with it. */
export type Outcome =
  | { readonly kind: 'verified'; readonly pack: VerifiedPack }
  | { readonly kind: 'fault'; readonly fault: PackFault };

type FaultOutcome = Extract<Outcome, { readonly kind: 'fault' }>;

/** For all calls of the compiler together. */
const OPA_MS = 20_000;
/** A ConfigMap takes a MiB, with what else is in it. */
const PART_BYTES = 700 * 1024;

/** From a source to what is stored of it: read, compiled, tested, checked, and tried. */
export async function verifyPack(request: PackRequest, tools: VerifyTools): Promise<Outcome> {
  const read = await readPack(request, tools);
  if (read.kind === 'fault') return read;
  const source = floored(read, request);
  if (source.kind === 'fault') return source;
  const timed = { ...tools, run: within(tools.run, OPA_MS) };
  const made =
    source.wasm === undefined ? await make(source, request, timed) : await take(source, request, timed);
  if (made.kind === 'fault') return made;
  const wrong = source.floor && (await tools.tryFloor?.(request, source.floor));
  if (wrong !== undefined) return { kind: 'fault', fault: wrong };
  const finished = await finish(made, request, tools);
  if (finished.kind === 'fault' || source.floor === undefined) return finished;
  return { kind: 'verified', pack: { ...finished.pack, floor: source.floor } };
}

/** Takes the floor out of the files, which are then what compilers know. */
function floored(read: Read, { place }: PackRequest): Read | FaultOutcome {
  const found = floorIn(read.files);
  if (found.kind === 'refused') return fault('InvalidFloor', found.message);
  if (found.floor === undefined) return read;
  if (place.kind === 'tenant')
    return fault(
      'FloorNotAllowed',
      `${FLOOR_FILE}: found in a pack of tenant ${place.tenant}; only packs in the namespace of the platform may have it`,
    );
  const files = new Map([...read.files].filter(([path]) => path !== FLOOR_FILE));
  return { ...read, files, floor: found.floor };
}

/** Programs of one job get what is left of the time of all. */
function within(run: RunOpa, totalMs: number): RunOpa {
  const endsAt = performance.now() + totalMs;
  return (args, options) => {
    const leftMs = Math.max(1, Math.floor(endsAt - performance.now()));
    return run(args, { ...options, timeoutMs: Math.min(options.timeoutMs, leftMs) });
  };
}

/** A pack as it was read. */
interface Read extends PackSource {
  readonly kind: 'read';
  readonly roots: readonly string[];
  readonly provenance: VerifiedPack['provenance'];
  readonly wasm?: Uint8Array | undefined;
  readonly entrypoints: readonly string[];
  readonly floor?: PolicyFloor;
}

async function readPack(
  { content, spec, pack }: PackRequest,
  tools: VerifyTools,
): Promise<Read | FaultOutcome> {
  if (content.kind === 'files') {
    const { regoVersion, provenance } = content;
    const files = new Map(Object.entries(content.files).map(([path, text]) => [path, Buffer.from(text)]));
    return { kind: 'read', files, regoVersion, provenance, roots: [''], entrypoints: [] };
  }
  const [namespace = ''] = pack.split('/');
  const fetched = await tools.fetch(content, namespace);
  if (fetched.kind === 'fault') return fetched;
  const read = await readBundle(fetched.bytes);
  if (read.kind === 'refused') return fault(read.reason, `spec.source.${content.kind}: ${read.message}`);
  return readOf(read.bundle, spec.regoVersion);
}

function readOf({ files, manifest, wasm }: Bundle, regoVersion: 'V0' | 'V1'): Read {
  return {
    kind: 'read',
    files,
    regoVersion: manifest.regoVersion ?? regoVersion,
    provenance: wasm === undefined ? 'Bundle' : 'Prebuilt',
    roots: manifest.roots,
    wasm,
    entrypoints: manifest.entrypoints,
  };
}

/** A module with what is stored beside it. */
interface Made extends Pick<VerifiedPack, 'entrypoints' | 'hasMutate' | 'provenance'> {
  readonly kind: 'made';
  readonly wasm: Uint8Array;
  readonly data: Uint8Array | undefined;
  readonly compiler?: string;
  readonly tests: number;
  readonly coveragePercent?: number | undefined;
}

async function make(source: Read, request: PackRequest, tools: VerifyTools): Promise<Made | FaultOutcome> {
  const capabilities = await tools.capabilities();
  const compiled = await compilePack(source, { run: tools.run, timeoutMs: OPA_MS, capabilities });
  if (compiled.kind === 'refused') return fault(REASONS[compiled.reason], wordsOf(compiled.problems));
  const { wasm, data, entrypoints, hasMutate, modules } = compiled.pack;
  const tested = await test({ ...source, modules }, request, tools);
  if (tested.kind === 'fault') return tested;
  return {
    ...tested,
    kind: 'made',
    wasm,
    data,
    entrypoints: entrypoints.map((path) => ({ path, role: 'decision' })),
    hasMutate,
    provenance: source.provenance,
    compiler: await tools.compiler(),
  };
}

const REASONS = {
  TooLarge: 'SourceTooLarge',
  InvalidSource: 'InvalidSource',
  CompileFailed: 'CompileFailed',
  NoRules: 'NoRules',
  TimedOut: 'VerificationTimedOut',
} as const;

/** What is tested, with what is known of its modules. */
type Testable = Read & Pick<TestOptions, 'modules'>;

async function test({ modules, ...source }: Testable, { spec }: PackRequest, tools: VerifyTools) {
  const capabilities = await tools.capabilities();
  const options = {
    run: tools.run,
    roots: source.roots,
    timeoutMs: OPA_MS,
    capabilities,
    ...defined({ modules }),
  };
  const tested = await testPack(source, options);
  if (tested.kind === 'failed') return fault(tested.reason, tested.message);
  const { tests, coverage } = tested;
  const coveragePercent = coverage?.percent;
  const { minCoveragePercent } = spec.tests;
  if ((coveragePercent ?? 0) >= minCoveragePercent)
    return { kind: 'tested', tests, coveragePercent } as const;
  const found = tests === 0 ? 'no tests' : `${coveragePercent} %`;
  return fault(
    'CoverageTooLow',
    `spec.tests.minCoveragePercent: found ${found}; at least ${minCoveragePercent} % is needed${missedWords(coverage?.missed ?? [])}`,
  );
}

/** Where to go on writing tests. */
function missedWords(missed: readonly string[]): string {
  if (missed.length === 0) return '';
  const more = missed.length - MAX_MISSED;
  return `; no test reaches ${missed.slice(0, MAX_MISSED).join(', ')}${more > 0 ? `, and ${more} more places` : ''}`;
}

const MAX_MISSED = 8;

/** What somebody else has compiled is taken as it is; rules beside it are tested where there are tests. */
async function take(source: Read, request: PackRequest, tools: VerifyTools): Promise<Made | FaultOutcome> {
  const { wasm = new Uint8Array(), files, entrypoints } = source;
  const documents = [...files.keys()].filter((path) => !path.endsWith('.rego'));
  const odd = documents.find((path) => path !== 'data.json');
  if (odd !== undefined)
    return fault('InvalidSource', `the bundle: found ${odd}; beside policy.wasm all data are in data.json`);
  const roles = rolesOf(entrypoints);
  if (roles.length === 0) {
    const found = entrypoints.slice(0, 5).join(', ') || 'none';
    return fault(
      'NoRules',
      `the bundle: .manifest: wasm: found the entry points ${found}; the last part of at least one must be decision, deny, warn, violation, allow, mutate, regions, dlp or disclosures`,
    );
  }
  const tested = hasRego(files) ? await test(source, request, tools) : NOT_TESTED;
  if (tested.kind === 'fault') return tested;
  const data = files.get('data.json');
  const hasMutate = mayChange(roles);
  return { ...tested, kind: 'made', wasm, data, entrypoints: roles, hasMutate, provenance: 'Prebuilt' };
}

const NOT_TESTED = { kind: 'tested', tests: 0, coveragePercent: undefined } as const;

function hasRego(files: ReadonlyMap<string, Uint8Array>): boolean {
  return [...files.keys()].some((path) => path.endsWith('.rego'));
}

async function finish(made: Made, request: PackRequest, tools: VerifyTools): Promise<Outcome> {
  const verified = verifyModule(made.wasm);
  if (verified.kind === 'refused')
    return fault('ModuleRefused', verified.faults.map(({ message }) => message).join('; '));
  const { module } = verified;
  const missing = made.entrypoints.find(({ path }) => !module.entrypoints.includes(path));
  if (missing !== undefined) return fault('ModuleRefused', `the module has no entry point ${missing.path}`);
  const unread = constraintFault(made.data);
  if (unread !== undefined) return fault('InvalidSource', unread);
  const pack = await storedPack(made, module);
  const large = [pack.module, pack.data].find((blob) => blob !== undefined && blob.parts.length > MAX_CHUNKS);
  if (large !== undefined)
    return fault(
      'SourceTooLarge',
      `found ${large.size} bytes that compress to ${large.parts.length} parts; at most ${MAX_CHUNKS} are stored`,
    );
  const wrong = await trial(pack, { made, module, request, tools });
  return wrong === undefined ? { kind: 'verified', pack } : { kind: 'fault', fault: wrong };
}

async function storedPack(made: Made, module: PolicyModule): Promise<VerifiedPack> {
  const { entrypoints, hasMutate, provenance, compiler, tests, coveragePercent } = made;
  return {
    module: await store(made.wasm),
    data: made.data && (await store(made.data)),
    entrypoints,
    builtins: [...module.builtins],
    hasMutate,
    provenance,
    ...(compiler !== undefined && { compiler }),
    tests,
    coveragePercent,
  };
}

const compress = promisify(gzip);

async function store(bytes: Uint8Array): Promise<StoredBlob> {
  const digest = digestOf(bytes);
  const whole = await compress(bytes, { level: 9 });
  const count = Math.max(1, Math.ceil(whole.length / PART_BYTES));
  const parts = Array.from({ length: count }, (_, i) =>
    whole.subarray(i * PART_BYTES, (i + 1) * PART_BYTES).toString('base64'),
  );
  return { digest, size: bytes.length, parts };
}

interface Tried {
  readonly made: Made;
  readonly module: PolicyModule;
  readonly request: PackRequest;
  readonly tools: VerifyTools;
}

async function trial(
  pack: VerifiedPack,
  { made, module, request, tools }: Tried,
): Promise<PackFault | undefined> {
  const { platformNamespace } = tools;
  const places = { platformNamespace, namespaces: new Map() };
  const revision = snapshotRevision(draftRevision(request, pack), {
    places,
    pack: undefined,
    isLoaded: true,
  });
  const data = made.data && { digest: digestOf(made.data), bytes: made.data };
  const tenant = request.place.kind === 'tenant' ? request.place.tenant : undefined;
  const host = tools.host();
  try {
    await host.ready();
    const loaded = { module, data, ...constraintsIn(made.data) };
    const evaluate = (evaluation: Evaluation) => host.evaluate(evaluation);
    return await tryPack({ revision, loaded, tenant, platformNamespace, evaluate, now: tools.now() });
  } finally {
    await host.close();
  }
}

/**
 * What is wrong with the first constraint of Gatekeeper that cannot be read: a new version with one is refused here. Of a
 * revision that was verified before, what this version does not read is passed over (`constraintsOf`).
 */
function constraintFault(data: Uint8Array | undefined): string | undefined {
  if (data === undefined) return undefined;
  const read = constraintsOf(JSON.parse(Buffer.from(data).toString('utf8'))) ?? [];
  const refused = read.find((one) => one.kind === 'refused');
  const [first] = refused?.faults ?? [];
  return first && `a constraint in the data: ${first.field} has to be ${first.wanted}`;
}

/** That there are some is enough: none of them is asked for here. */
function constraintsIn(data: Uint8Array | undefined) {
  const has = data !== undefined && Buffer.from(data).includes('"gatekeeper"');
  return has ? { constraints: [] } : {};
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** `a.rego:3: what is wrong`, one after the other. */
function wordsOf(problems: readonly SourceProblem[]): string {
  return problems
    .map(({ file, line, message }) => {
      const where = [file, ...(line === undefined ? [] : [line])].join(':');
      return file === '' ? message : `${where}: ${message}`;
    })
    .join('; ');
}

function fault(reason: PackFault['reason'], message: string): FaultOutcome {
  // A machine that is busy says nothing of the pack.
  return { kind: 'fault', fault: { reason, message, passing: reason === 'VerificationTimedOut' } };
}
