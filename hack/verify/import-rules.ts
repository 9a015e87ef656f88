// SPDX-License-Identifier: Apache-2.0
import { posix } from 'node:path';
import type { ImportOf } from './source-files.ts';

/**
 * What the files under `from` may import. Both are paths: `crds/` is everything below, `crds/v1alpha1/names.ts` that
 * file; `node:` is every module of Node; anything else is a package. The first row that fits a file holds.
 */
export interface ImportRule {
  readonly from: string;
  readonly may: readonly string[];
}

const CORE_CONTRACT = ['object', 'plan', 'pieces', 'conditions', 'compare', 'errors'].map(
  (name) => `operator/core/${name}.ts`,
);

/** The direction of all imports: from the API, through pure decisions and effects, to the roots that wire them. */
export const IMPORT_RULES: readonly ImportRule[] = [
  { from: 'crds/', may: ['crds/', 'zod'] },
  // Reading a cron line is pure, and done in one place.
  { from: 'operator/core/agent/cron.ts', may: ['operator/core/', 'crds/', 'croner'] },
  // So is what a vector of CVSS comes to.
  { from: 'operator/core/supply-chain/cvss.ts', may: ['operator/core/', 'ae-cvss-calculator'] },
  // Its issuing of certificates needs a library, and is done where nothing is decided.
  {
    from: 'operator/certificates/',
    may: ['operator/certificates/', 'operator/core/', 'node:', 'asn1js', 'pkijs'],
  },
  // Hashing is pure: names that follow from what they name need it.
  { from: 'operator/core/', may: ['operator/core/', 'crds/', 'node:crypto'] },
  { from: 'operator/telemetry/', may: ['operator/telemetry/', 'pino', 'prom-client'] },
  // It asks what people name, and knows nobody: neither the cluster nor what it fetches.
  { from: 'operator/sources/', may: ['operator/sources/', 'node:', 'undici'] },
  // It asks registries, by the same rules: what it learns is for others to judge.
  {
    from: 'operator/oci/testing/',
    may: ['operator/oci/', 'operator/core/', 'hack/cluster/', 'hack/tools/', 'node:'],
  },
  {
    from: 'operator/oci/',
    may: ['operator/oci/', 'operator/sources/', 'operator/core/', 'crds/', 'node:', 'undici'],
  },
  // Signs as others would: with the real cosign, and authorities and logs of its own.
  {
    from: 'operator/supply-chain/testing/',
    may: ['operator/supply-chain/', 'operator/core/', 'hack/sigstore/', 'hack/tools/', 'crds/', 'node:', '*'],
  },
  // It asks registries for what the rest of its folder is given.
  {
    from: 'operator/supply-chain/registry-evidence.ts',
    may: ['operator/supply-chain/', 'operator/oci/', 'operator/core/'],
  },
  {
    from: 'operator/supply-chain/registry-evidence.test.ts',
    may: ['operator/supply-chain/', 'operator/oci/', 'operator/core/'],
  },
  // Schemas that no module can name, since they are XML; in what is shipped they are in the program.
  { from: 'operator/supply-chain/xml-schemas.ts', may: ['node:fs'] },
  // It judges what others signed. What it is given is fetched elsewhere: it knows neither the cluster nor HTTP.
  {
    from: 'operator/supply-chain/',
    may: [
      'operator/supply-chain/',
      'operator/core/',
      'crds/',
      'node:crypto',
      '@cyclonedx/cyclonedx-library',
      '@noble/curves',
      '@sigstore/bundle',
      '@sigstore/core',
      '@sigstore/protobuf-specs',
      '@sigstore/verify',
      'ajv',
      'ajv-formats',
      'libxml2-wasm',
      're2js',
    ],
  },
  // Hostile modules are assembled from text, which the product has no use for.
  {
    from: 'operator/policy/testing/',
    may: ['operator/policy/', 'hack/tools/', 'node:', 'wabt', 'yaml'],
  },
  // It runs what others wrote: it knows neither the cluster nor HTTP.
  {
    from: 'operator/policy/',
    may: ['operator/policy/', 'operator/telemetry/', 'operator/core/', 'crds/', 'node:', 're2js', 'yaml'],
  },
  {
    from: 'operator/runtime/',
    may: [
      'operator/runtime/',
      'operator/telemetry/',
      ...CORE_CONTRACT,
      'crds/openapi/',
      'crds/v1alpha1/names.ts',
      'node:',
      'undici',
      '@kubernetes/client-node',
    ],
  },
  {
    from: 'operator/controllers/index.ts',
    may: ['operator/controllers/', 'operator/runtime/', 'operator/core/', 'crds/'],
  },
  { from: 'operator/controllers/testing/', may: ['operator/', 'crds/', 'hack/system/', 'node:'] },
  {
    from: 'operator/controllers/',
    may: [
      'operator/controllers/shared/',
      'operator/core/',
      'operator/runtime/',
      'operator/telemetry/',
      'operator/certificates/',
      'crds/',
      'node:crypto',
      'zod',
    ],
  },
  {
    from: 'operator/rego/',
    may: [
      'operator/rego/',
      'operator/policy/',
      'operator/core/',
      'operator/runtime/child-process.ts',
      'crds/',
      'node:',
      'tar-stream',
      'yaml',
    ],
  },
  // It reads what exists, and writes nothing.
  {
    from: 'operator/scan/testing/',
    may: ['operator/', 'crds/', 'hack/cluster/', 'hack/tools/', 'node:'],
  },
  {
    from: 'operator/scan/',
    may: [
      'operator/scan/',
      'operator/core/',
      'operator/policy/',
      'operator/runtime/',
      'operator/telemetry/',
      'crds/',
      'node:',
    ],
  },
  // It asks registries what is attached to images, and has a process judge that; it writes nothing.
  {
    from: 'operator/image-verification/testing/',
    may: ['operator/', 'crds/', 'hack/cluster/', 'hack/tools/', 'node:'],
  },
  {
    from: 'operator/image-verification/',
    may: [
      'operator/image-verification/',
      'operator/core/',
      'operator/oci/',
      'operator/runtime/',
      'operator/supply-chain/',
      'operator/telemetry/',
      'crds/',
      'node:',
    ],
  },
  // It runs in namespaces of tenants, and has no part in what the operator may.
  { from: 'remote/core/', may: ['remote/core/', 'crds/', 'zod'] },
  { from: 'remote/testing/', may: ['remote/', 'crds/', 'hack/tools/', 'node:', '@a2a-js/sdk'] },
  { from: 'remote/', may: ['remote/', 'crds/', 'node:', 'undici'] },
  { from: 'operator/version.ts', may: [] },
  { from: 'operator/settings.ts', may: ['node:'] },
  { from: 'operator/policy-resources.ts', may: ['operator/settings.ts', 'operator/core/', 'node:'] },
  { from: 'operator/prices.ts', may: ['operator/settings.ts', 'operator/core/'] },
  {
    from: 'operator/config.ts',
    may: [
      'operator/settings.ts',
      'operator/oci/settings.ts',
      'operator/policy-resources.ts',
      'operator/prices.ts',
      'crds/v1alpha1/names.ts',
      'node:',
    ],
  },
  { from: 'operator/', may: ['operator/', 'crds/', 'node:'] },
  // Packs of tests are compiled as those of users are.
  { from: 'webhooks/testing/', may: ['webhooks/', 'operator/', 'crds/', 'hack/tools/', 'node:'] },
  // In and out, and what is judged: pure over what is known.
  { from: 'webhooks/review.ts', may: ['crds/', 'operator/core/'] },
  { from: 'webhooks/registrations.ts', may: ['crds/', 'operator/core/'] },
  // It believes what the operator has signed, and reads nothing else of it.
  {
    from: 'webhooks/images/',
    may: [
      'webhooks/',
      'crds/',
      'operator/core/',
      'operator/runtime/',
      'operator/supply-chain/keys.ts',
      'operator/supply-chain/signed-proof.ts',
      'operator/telemetry/',
      'node:',
    ],
  },
  {
    from: 'webhooks/',
    may: [
      'webhooks/',
      'crds/',
      'operator/core/',
      'operator/runtime/',
      'operator/policy/',
      'operator/telemetry/',
      'operator/prices.ts',
      'operator/settings.ts',
      'operator/version.ts',
      'node:',
    ],
  },
  {
    from: 'nexusctl/',
    may: [
      'nexusctl/',
      'crds/',
      'operator/core/',
      'operator/oci/',
      'operator/policy/',
      'operator/rego/',
      'operator/runtime/',
      'operator/supply-chain/',
      'operator/version.ts',
      // What admission believes of images, and is asked about, and nothing beside it.
      'webhooks/images/verdict-book.ts',
      'webhooks/registrations.ts',
      'node:',
      'yaml',
      '@kubernetes/client-node',
    ],
  },
  {
    from: 'e2e/',
    may: [
      'e2e/',
      'crds/',
      'hack/cluster/',
      'hack/sigstore/',
      'hack/system/',
      'hack/tools/',
      'node:',
      'ava',
      'yaml',
      'undici',
    ],
  },
  { from: 'hack/cluster/', may: ['hack/cluster/', 'hack/tools/', 'crds/', 'node:', '*'] },
  { from: 'hack/tools/', may: ['hack/tools/', 'node:'] },
  // Who signs as others would: tests, scenarios and measurements all need somebody.
  {
    from: 'hack/sigstore/',
    may: ['hack/sigstore/', 'hack/tools/', 'node:', '@sigstore/core', '@sigstore/mock'],
  },
  { from: 'hack/', may: ['hack/', 'crds/', 'operator/', 'webhooks/', 'nexusctl/', 'node:', '*'] },
];

/** What every test may import besides what its subject may; scenarios, which have no subject, may not. */
const TESTS_MAY: readonly string[] = [
  'ava',
  'fast-check',
  'yaml',
  'zod',
  'node:',
  'crds/',
  'hack/cluster/',
  'hack/sigstore/',
  'hack/system/',
  'hack/tools/',
  'operator/core/',
  'operator/runtime/',
  'operator/telemetry/',
  'operator/controllers/testing/',
];

/**
 * The imports of the file `path` that the table does not allow, one line each. Also holds that `#` marks exactly the
 * imports that cross a top-level folder, so that crossing is visible where one reads; and that only tests import what is for
 * tests.
 */
export function importProblems(path: string, imports: readonly ImportOf[]): readonly string[] {
  const rule = IMPORT_RULES.find((one) => isWithin(path, one.from));
  if (rule === undefined)
    return [`${path}: no row of the import table speaks of it (hack/verify/import-rules.ts)`];
  const isTest = isForTests(path);
  const may = isTest && !path.startsWith('e2e/') ? [...rule.may, ...TESTS_MAY, testedBy(path)] : rule.may;
  return imports.flatMap((one) => {
    const target = resolveSpecifier(path, one.specifier);
    const problem =
      styleProblem(path, one.specifier, target) ??
      testingProblem(target, isTest) ??
      directionProblem(target, { rule, may });
    return problem === undefined ? [] : [`${path}:${one.line}: ${problem}`];
  });
}

/** testedBy('a/b.test.ts') -> 'a/b.ts': a test may use that, also where those beside it may not. */
function testedBy(path: string): string {
  return path.replace(/\.test\.ts$/, '.ts');
}

/** Everything in e2e/ is for tests, too. */
function isForTests(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/') || path.startsWith('e2e/');
}

/** What a specifier names: a path of the repository, `node:x`, or the name of a package. */
export function resolveSpecifier(from: string, specifier: string): string {
  if (specifier.startsWith('.')) {
    const path = posix.join(posix.dirname(from), specifier);
    // A file of a package that it gives out to nobody by name, such as a schema.
    return path.startsWith(PACKAGES) ? packageOf(path.slice(PACKAGES.length)) : path;
  }
  if (specifier.startsWith('#')) return `${specifier.slice(1)}.ts`;
  if (specifier.startsWith('node:')) return specifier;
  return packageOf(specifier);
}

const PACKAGES = 'node_modules/';

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

function styleProblem(path: string, specifier: string, target: string): string | undefined {
  if (!specifier.startsWith('.') && !specifier.startsWith('#')) return undefined;
  if (specifier.includes(`../${PACKAGES}`)) return undefined;
  const crosses = topFolder(target) !== topFolder(path);
  if (specifier.startsWith('#') && !crosses)
    return `${specifier} stays in ${topFolder(path)}/: use a relative import`;
  if (specifier.startsWith('.') && crosses)
    return `${specifier} leaves ${topFolder(path)}/: use #${target.replace(/\.ts$/, '')}`;
  return undefined;
}

/** Whatever row holds: what is shipped must not drag in what only tests need, nor can a test be imported without being run. */
function testingProblem(target: string, isTest: boolean): string | undefined {
  if (target.endsWith('.test.ts')) return `no file may import a test, such as ${target}`;
  return isForTests(target) && !isTest ? `only tests may import ${target}` : undefined;
}

function directionProblem(
  target: string,
  { rule, may }: { readonly rule: ImportRule; readonly may: readonly string[] },
): string | undefined {
  const allowed = may.some((one) => (one === '*' ? isPackage(target) : isWithin(target, one)));
  return allowed ? undefined : `${rule.from} may not import ${target}; it may import ${rule.may.join(', ')}`;
}

function isPackage(target: string): boolean {
  return !target.endsWith('.ts') && !target.startsWith('node:');
}

/** Whether a path is what a row of the table names: a folder and all below it, or one file. */
export function isWithin(path: string, prefix: string): boolean {
  return prefix.endsWith('/') || prefix.endsWith(':') ? path.startsWith(prefix) : path === prefix;
}

function topFolder(path: string): string {
  return path.split('/')[0] ?? path;
}
