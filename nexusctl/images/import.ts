// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isObject, type JsonObject, objectAt, textAt } from '#operator/rego/gatekeeper/json';
import type { SourceDocument } from '#operator/rego/gatekeeper/template';
import {
  argumentAt,
  type Call,
  type Command,
  CommandError,
  EXIT,
  flagValue,
  type Outcome,
} from '../cli/command.ts';
import { manifestText } from '../cli/manifest.ts';
import { commentLine } from '../cli/output.ts';
import { documentsAt } from '../pack/documents.ts';
import { convertPolicy, type PolicyChoices } from './sigstore/policy.ts';
import { type DocumentReport, type Remark, Report } from './sigstore/report.ts';
import { convertTrustRoot } from './sigstore/trust-root.ts';

/** `nexusctl images import PATH`. */
export const IMPORT: Command = {
  path: ['images', 'import'],
  summary: 'makes policies on images of those of the policy-controller of Sigstore',
  about:
    'Reads ClusterImagePolicies and TrustRoots of policy.sigstore.dev (v1alpha1, v1beta1) and makes those of NexusOS. What cannot be taken over is told with file, field and what to do, and then nothing is made. Nothing becomes laxer unless you name it by --leave-out; what becomes stricter, or has to be brought along, stands above what is made. Other documents are left out.',
  args: [{ name: 'PATH', what: 'a file or folder of YAML' }],
  flags: [
    { name: 'out', value: 'FILE', what: 'where it goes; else it is printed' },
    {
      name: 'trust-root',
      value: 'NAME',
      what: 'the TrustRoot of authorities that name none, which is the public instance there',
      default: 'sigstore',
    },
    {
      name: 'builders',
      value: 'ID=LEVEL',
      what: 'who may have built images, with its SLSA build level, by commas: where provenance is asked for',
    },
    {
      name: 'logs-since',
      value: 'TIME',
      what: 'since when logs of TrustRoots are trusted that do not say it, in RFC 3339',
    },
    {
      name: 'leave-out',
      value: 'FIELDS',
      what: 'fields to do without, by commas, although more images pass then',
    },
  ],
  examples: [
    'images import policies/ | kubectl apply -f -',
    'images import policy.yaml --builders https://builder.example/v1=3 --out nexusos.yaml',
  ],
  run: importPolicies,
};

const GROUP = 'policy.sigstore.dev/';
const VERSIONS = ['v1alpha1', 'v1beta1'];

async function importPolicies(call: Call): Promise<Outcome> {
  const path = argumentAt(call, 0);
  const documents = await documentsAt(resolve(call.cwd, path));
  const theirs = documents.filter(({ value }) => textAt(value, 'apiVersion').startsWith(GROUP));
  if (theirs.length === 0) {
    throw new CommandError(
      EXIT.usage,
      `there is no ClusterImagePolicy or TrustRoot of ${GROUP.slice(0, -1)} in ${path}`,
    );
  }
  const report = new Report(listOf(flagValue(call, 'leave-out')));
  const choices: PolicyChoices = {
    trustRoot: flagValue(call, 'trust-root') ?? '',
    builders: buildersOf(flagValue(call, 'builders')),
  };
  const logsSince = timeOf(flagValue(call, 'logs-since'));
  const makers = new Map<string, string>();
  const made = theirs.flatMap((one) => convert(one, { report, choices, logsSince, makers }));
  if (report.problems.length > 0) {
    const fields = new Set(report.problems.map(({ document, field }) => `${document} ${field}`)).size;
    throw new CommandError(
      EXIT.no,
      `${fields} fields cannot be taken over, so nothing is made`,
      report.problems.map(lineOf),
    );
  }
  const unused = report.unused();
  if (unused.length > 0)
    throw new CommandError(EXIT.usage, `--leave-out: nothing needs to be left out at ${unused.join(', ')}`);
  return outcomeOf(call, { made, report, leftOut: documents.length - theirs.length });
}

interface Choice {
  readonly report: Report;
  readonly choices: PolicyChoices;
  readonly logsSince: string | undefined;
  /** Kind and name of what has been made, and by which document. */
  readonly makers: Map<string, string>;
}

function convert({ file, value }: SourceDocument, choice: Choice): readonly JsonObject[] {
  const kind = textAt(value, 'kind');
  const name = textAt(objectAt(value, 'metadata'), 'name');
  const report = choice.report.about(file, `${kind} ${name}`);
  const made = objectsOf(value, { ...choice, kind, name, report });
  for (const one of made) {
    const id = `${textAt(one, 'kind')} ${textAt(objectAt(one, 'metadata'), 'name')}`;
    const before = choice.makers.get(id);
    // Whoever applies both has the last of them, and what the first was for is asked by it.
    if (before !== undefined) {
      const advice = 'give the policy, the authority or the TrustRoot another name';
      report.problem('metadata.name', `makes a second ${id}, beside that of ${before}: ${advice}`);
    }
    choice.makers.set(id, `${file}: ${kind} ${name}`);
  }
  return made;
}

interface Converted extends Omit<Choice, 'report'> {
  readonly kind: string;
  readonly name: string;
  readonly report: DocumentReport;
}

function objectsOf(
  value: JsonObject,
  { kind, name, report, choices, logsSince }: Converted,
): readonly JsonObject[] {
  const version = textAt(value, 'apiVersion').slice(GROUP.length);
  if (!VERSIONS.includes(version))
    report.problem('apiVersion', `is of version ${version}; read are ${VERSIONS.join(', ')}`);
  if (name === '') report.problem('metadata.name', 'is needed');
  report.object(value, '', ['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  if (kind === 'ClusterImagePolicy') return convertPolicy({ name, spec: value['spec'], choices, report });
  if (kind !== 'TrustRoot') {
    report.problem('kind', 'is not known; ClusterImagePolicy and TrustRoot are');
    return [];
  }
  const made = convertTrustRoot({ name, spec: value['spec'], logsSince, report });
  return made === undefined ? [] : [made];
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

function buildersOf(text: string | undefined): PolicyChoices['builders'] {
  return listOf(text).map((one) => {
    const at = one.lastIndexOf('=');
    const level = Number(one.slice(at + 1));
    if (at > 0 && Number.isInteger(level) && level >= 1 && level <= 4) return { id: one.slice(0, at), level };
    throw new CommandError(
      EXIT.usage,
      `--builders: found ${one}; wanted is ID=LEVEL, with a level from 1 to 4`,
    );
  });
}

function timeOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new CommandError(EXIT.usage, `--logs-since: found ${text}; wanted is a time in RFC 3339`);
}

function lineOf({ file, document, field, message }: Remark): string {
  return `${file}: ${document}: ${field}: ${message}`;
}

interface Made {
  readonly made: readonly JsonObject[];
  readonly report: Report;
  readonly leftOut: number;
}

async function outcomeOf(call: Call, { made, report, leftOut }: Made): Promise<Outcome> {
  const notes = report.notes.map(lineOf);
  const out = flagValue(call, 'out');
  const text = [...notes.map(commentLine), made.map(manifestText).join('---\n')].join('');
  const count = `${made.length} objects; ${leftOut} other documents left out`;
  if (out === undefined) {
    const value = { apiVersion: 'v1', kind: 'List', items: made.filter(isObject) };
    return { code: EXIT.ok, value, before: [text.trimEnd()] };
  }
  await writeFile(resolve(call.cwd, out), text);
  return {
    code: EXIT.ok,
    value: { out, objects: made.length, notes, leftOut },
    before: [...notes, count, `written to ${out}`],
  };
}
